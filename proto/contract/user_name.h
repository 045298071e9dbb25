// Names of users and their tokens: `users/{id}`, `users/{id}/tokens/{n}`.
//
// An id is 1 to 64 characters of [a-z0-9._-]; n is a decimal number from 1.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace deconvoy {

std::string UserName(std::string_view id);
// The id in a name; INVALID_ARGUMENT, naming `field`, for anything else.
absl::StatusOr<std::string> UserId(std::string_view name, std::string_view field);

struct UserTokenId {
  std::string user_id;
  int64_t number = 0;
  friend bool operator==(const UserTokenId&, const UserTokenId&) = default;
};
std::string UserTokenName(const UserTokenId& token);
absl::StatusOr<UserTokenId> ParseUserTokenName(std::string_view name, std::string_view field);

}  // namespace deconvoy
