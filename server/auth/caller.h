// Who makes a call.
#pragma once

#include <string>

#include "deconvoy/v1/admin.pb.h"

namespace deconvoy::server {

// The user that everybody is where no tokens are asked for.
inline constexpr const char* kLocalUser = "local";

// Who the workers of the server's own machine are, which show its credential; no user has such an id.
inline constexpr const char* kLocalWorkers = "workers of this machine";

struct Caller {
  std::string owner;  // id of the user, in whose name volumes and jobs are made and found; empty: nobody was let in
  v1::Role role = v1::ROLE_UNSPECIFIED;
};

}  // namespace deconvoy::server
