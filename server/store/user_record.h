// Users and their tokens, as the store keeps them.
#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deconvoy/v1/admin.pb.h"

namespace deconvoy::server {

struct UserRecord {
  std::string id;
  v1::Role role = v1::USER;
  std::string group = {};               // which shares with other groups; empty: none
  double weight = 1;                    // of the fair share, within the group; above 0
  std::optional<v1::Quota> quota = {};  // nothing: as the configuration says
  bool disabled = false;                // all calls are refused
  absl::Time create_time = absl::UnixEpoch();
  std::vector<std::string> file_roots = {};  // that they may use, rising; `*`, alone, for all
};

struct GroupRecord {
  std::string name;
  double weight = 1;  // of the fair share, among groups; above 0
  int64_t users = 0;  // that are in it
};

// Which folders for files a user may use.
struct FileRights {
  bool all = false;
  std::vector<std::string> roots = {};  // by name; some may not be configured
};

struct TokenRecord {
  std::string user_id;
  int64_t number = 0;      // within the user, from 1; given by the store, never twice
  std::string hash;        // SHA-256 of the token's text, 32 bytes; no two tokens have the same
  std::string label = {};  // for people
  absl::Time create_time = absl::UnixEpoch();
  absl::Time expire_time = absl::InfiniteFuture();   // InfiniteFuture: never
  absl::Time last_used_time = absl::InfinitePast();  // InfinitePast: never
  bool revoked = false;
};

}  // namespace deconvoy::server
