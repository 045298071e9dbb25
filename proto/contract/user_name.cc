#include "proto/contract/user_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proto/contract/error.h"

namespace deconvoy {
namespace {

constexpr std::string_view kUsers = "users/", kTokens = "/tokens/";
constexpr size_t kIdLength = 64;
constexpr size_t kShownLength = 100;

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

absl::Status Malformed(std::string_view name, std::string_view field, std::string_view what, std::string_view form) {
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = fmt::format("Give a name of the form {}; an id is 1 to 64 characters of [a-z0-9._-].", form)},
      fmt::format("`{}` is `{}`, which is not the name of a {}", field, name.substr(0, kShownLength), what));
}

// A number from 1 in its one form, without sign and leading zeros; 0 for anything else.
int64_t NumberFrom(std::string_view digits) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && number >= 1 && fmt::to_string(number) == digits ? number : 0;
}

}  // namespace

std::string UserName(std::string_view id) {
  return fmt::format("{}{}", kUsers, id);
}

absl::StatusOr<std::string> UserId(std::string_view name, std::string_view field) {
  if (name.starts_with(kUsers) && IsId(name.substr(kUsers.size()))) return std::string(name.substr(kUsers.size()));
  return Malformed(name, field, "user", "users/{id}");
}

std::string UserTokenName(const UserTokenId& token) {
  return fmt::format("{}{}{}{}", kUsers, token.user_id, kTokens, token.number);
}

absl::StatusOr<UserTokenId> ParseUserTokenName(std::string_view name, std::string_view field) {
  const size_t cut = std::min(name.find(kTokens), name.size());
  const absl::StatusOr<std::string> user = UserId(name.substr(0, cut), field);
  const int64_t number = cut == name.size() ? 0 : NumberFrom(name.substr(cut + kTokens.size()));
  if (user.ok() && number > 0) return UserTokenId{*user, number};
  return Malformed(name, field, "token", "users/{id}/tokens/{n}");
}

}  // namespace deconvoy
