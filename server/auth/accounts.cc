#include "server/auth/accounts.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/server_file.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/user_name.h"
#include "server/auth/token_text.h"

namespace deconvoy::server {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr const char* kFirstAdmin = "admin";
constexpr size_t kLabelBytes = 255;
constexpr size_t kGroupBytes = 64;
constexpr double kLargestWeight = 1e6;
constexpr size_t kFileRoots = 100;
constexpr const char* kAllRoots = "*";
constexpr absl::Duration kLongestLifetime = absl::Hours(24 * 365 * 100);
constexpr const char* kLoginRemedy = "run `deconvoy login`, or give a token with --token-file or $DECONVOY_TOKEN";

absl::Status Refuse(v1::ErrorReason reason, std::string_view message, const char* remedy = kLoginRemedy) {
  return MakeError({.reason = reason, .remedy = remedy}, message);
}

absl::Status Invalid(const char* field, std::string_view message, const char* remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = field, .remedy = remedy}, message);
}

absl::Status CheckPlainText(const char* field, const std::string& text, size_t bytes) {
  if (text.size() <= bytes && Printable(text) == text) return absl::OkStatus();
  return Invalid(field, fmt::format("`{}` is \"{}\"", field, Printable(text.substr(0, bytes))),
                 "give a text without control characters, of at most 64 bytes for a group, 255 for a label");
}

// One of each, rising.
absl::Status CheckFileRoots(const std::vector<std::string>& roots) {
  const bool named = std::ranges::all_of(roots, [](const std::string& root) { return IsRootName(root); });
  const bool rising = std::ranges::adjacent_find(roots, std::ranges::greater_equal()) == roots.end();
  if (roots.size() <= kFileRoots && rising && (named || roots == std::vector<std::string>{kAllRoots})) {
    return absl::OkStatus();
  }
  return Invalid("user.file_roots", fmt::format("`user.file_roots` is not a list of up to {} names", kFileRoots),
                 "name roots of the server's configuration, each once and in rising order, or `*` alone for all");
}

absl::Status CheckWeight(const char* field, double weight) {
  if (std::isfinite(weight) && weight > 0 && weight <= kLargestWeight) return absl::OkStatus();
  return Invalid(field, fmt::format("`{}` is {}", field, weight), "give a number above 0, up to 1e6");
}

absl::Status CheckUser(const UserRecord& user) {
  RETURN_IF_ERROR(UserId(UserName(user.id), "user.name").status());
  if (user.role != v1::USER && user.role != v1::WORKER && user.role != v1::ADMIN) {
    return Invalid("user.role", "`user.role` is none of USER, WORKER and ADMIN", "name one of these");
  }
  RETURN_IF_ERROR(CheckWeight("user.weight", user.weight));
  RETURN_IF_ERROR(CheckFileRoots(user.file_roots));
  return CheckPlainText("user.group", user.group, kGroupBytes);
}

absl::Status Change(const UserRecord& change, const std::string& field, UserRecord& user) {
  if (field == "role") {
    user.role = change.role;
  } else if (field == "group") {
    user.group = change.group;
  } else if (field == "weight") {
    user.weight = change.weight;
  } else if (field == "quota") {
    user.quota = change.quota;
  } else if (field == "disabled") {
    user.disabled = change.disabled;
  } else if (field == "file_roots") {
    user.file_roots = change.file_roots;
  } else {
    return Invalid("fields", fmt::format("`fields` names \"{}\"", Printable(field)),
                   "name some of role, group, weight, quota, disabled, file_roots");
  }
  return absl::OkStatus();
}

UserRecord LocalUser() {
  return {.id = kLocalUser, .role = v1::ADMIN};
}

}  // namespace

absl::StatusOr<Caller> Accounts::Identify(std::string_view authorization) {
  if (rule_ == TokenRule::kOff) return Caller{kLocalUser, v1::ADMIN};
  if (authorization.empty()) return Refuse(v1::NO_TOKEN, "the call has no token, and this server needs one");
  if (!authorization.starts_with(kScheme)) {
    return Refuse(v1::BAD_TOKEN, "the call's authorization is not `Bearer` and a token");
  }
  const std::string hash = HashOfToken(authorization.substr(kScheme.size()));
  ASSIGN_OR_RETURN(const auto token, store_.FindUserToken(hash));
  if (!token || !SameHash(token->hash, hash) || token->revoked) {
    return Refuse(v1::BAD_TOKEN, "the call's token is not one of this server, or was revoked");
  }
  ASSIGN_OR_RETURN(const UserRecord user, store_.GetUser(token->user_id));
  if (user.disabled) {
    return Refuse(v1::BAD_TOKEN, fmt::format("the user \"{}\" is disabled", user.id), "ask an administrator");
  }
  if (token->expire_time <= clock_.Wall()) {
    return Refuse(v1::TOKEN_EXPIRED, fmt::format("the token expired at {}", absl::FormatTime(token->expire_time)),
                  "ask an administrator for a new token, then run `deconvoy login`");
  }
  NoteUse(*token);
  return Caller{user.id, user.role};
}

// To the hour, so that few calls write.
void Accounts::NoteUse(TokenRecord token) {
  const absl::Time hour = absl::UnixEpoch() + absl::Floor(clock_.Wall() - absl::UnixEpoch(), absl::Hours(1));
  if (token.last_used_time >= hour) return;
  token.last_used_time = hour;
  // A revocation meanwhile must not be overwritten.
  const std::lock_guard lock(changes_);
  const absl::StatusOr<TokenRecord> now = store_.GetUserToken(token.user_id, token.number);
  if (now.ok()) token.revoked = now->revoked;
  const absl::Status noted = now.ok() ? store_.UpdateUserToken(token) : now.status();
  if (!noted.ok()) spdlog::debug("the last use of a token is not noted: {}", std::string(noted.message()));
}

absl::Status Accounts::Load() {
  std::string next;
  do {
    ASSIGN_OR_RETURN(const Page<UserRecord> page, store_.ListUsers(limits::kPageSize, next));
    for (const UserRecord& user : page.items) Remember(user);
    next = page.next_token;
  } while (!next.empty());
  do {
    ASSIGN_OR_RETURN(const Page<GroupRecord> page, store_.ListGroups(limits::kPageSize, next));
    for (const GroupRecord& group : page.items) Remember(group);
    next = page.next_token;
  } while (!next.empty());
  return absl::OkStatus();
}

std::optional<UserRecord> Accounts::Known(const std::string& id) const {
  const std::lock_guard lock(known_mutex_);
  const auto found = known_.find(id);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void Accounts::Remember(const UserRecord& user) {
  const std::lock_guard lock(known_mutex_);
  known_[user.id] = user;
}

void Accounts::Remember(const GroupRecord& group) {
  const std::lock_guard lock(known_mutex_);
  if (group.weight == 1) {
    group_weights_.erase(group.name);
  } else {
    group_weights_[group.name] = group.weight;
  }
}

double Accounts::WeightOfGroup(const std::string& group) const {
  const std::lock_guard lock(known_mutex_);
  const auto found = group_weights_.find(group);
  return found == group_weights_.end() ? 1 : found->second;
}

absl::StatusOr<GroupRecord> Accounts::SetGroupWeight(const std::string& group, double weight) {
  RETURN_IF_ERROR(CheckPlainText("group", group, kGroupBytes));
  if (group.empty()) return Invalid("group", "`group` is empty", "name a group that users are in");
  RETURN_IF_ERROR(CheckWeight("weight", weight));
  const std::lock_guard lock(changes_);
  ASSIGN_OR_RETURN(GroupRecord record, store_.SetGroupWeight(group, weight));
  Remember(record);
  return record;
}

absl::StatusOr<Page<GroupRecord>> Accounts::ListGroups(int page_size, const std::string& page_token) {
  return store_.ListGroups(page_size, page_token);
}

FileRights Accounts::FileRightsOf(const std::string& id) const {
  if (rule_ == TokenRule::kOff && id == kLocalUser) return {.all = true};
  const std::optional<UserRecord> user = Known(id);
  if (!user) return {};
  const bool all = user->role == v1::ADMIN || user->file_roots == std::vector<std::string>{kAllRoots};
  return {.all = all, .roots = user->file_roots};
}

absl::StatusOr<UserRecord> Accounts::Find(const std::string& id) {
  absl::StatusOr<UserRecord> user = store_.GetUser(id);
  if (absl::IsNotFound(user.status()) && rule_ == TokenRule::kOff && id == kLocalUser) return LocalUser();
  return user;
}

absl::StatusOr<Page<UserRecord>> Accounts::List(int page_size, const std::string& page_token) {
  return store_.ListUsers(page_size, page_token);
}

absl::StatusOr<UserRecord> Accounts::Add(UserRecord user) {
  RETURN_IF_ERROR(CheckUser(user));
  user.create_time = clock_.Wall();
  RETURN_IF_ERROR(store_.InsertUser(user));
  // Unless a change has come in between, which is newer.
  const std::lock_guard lock(known_mutex_);
  known_.try_emplace(user.id, user);
  return user;
}

template <typename Lost>
absl::Status Accounts::CheckAdminStays(const Lost& lost) {
  ASSIGN_OR_RETURN(const std::vector<TokenRecord> tokens, store_.UsableAdminTokens(clock_.Wall()));
  if (tokens.empty() || !std::ranges::all_of(tokens, lost)) return absl::OkStatus();
  return Refuse(v1::LAST_ADMIN, "nobody could administer the server any more",
                "give another user the role ADMIN and a token first");
}

absl::StatusOr<UserRecord> Accounts::Update(const UserRecord& change, const std::vector<std::string>& fields) {
  const std::lock_guard lock(changes_);
  ASSIGN_OR_RETURN(UserRecord user, store_.GetUser(change.id));
  for (const std::string& field : fields) RETURN_IF_ERROR(Change(change, field, user));
  RETURN_IF_ERROR(CheckUser(user));
  if (user.role != v1::ADMIN || user.disabled) {
    RETURN_IF_ERROR(CheckAdminStays([&](const TokenRecord& token) { return token.user_id == user.id; }));
  }
  RETURN_IF_ERROR(store_.UpdateUser(user));
  Remember(user);
  return user;
}

absl::StatusOr<TokenRecord> Accounts::InsertToken(const std::string& user_id, const std::string& label,
                                                  absl::Time expire_time, const std::string& text) {
  return store_.InsertUserToken({.user_id = user_id,
                                 .hash = HashOfToken(text),
                                 .label = label,
                                 .create_time = clock_.Wall(),
                                 .expire_time = expire_time});
}

absl::StatusOr<Accounts::NewToken> Accounts::MakeToken(const std::string& user_id, const std::string& label,
                                                       absl::Duration lifetime) {
  RETURN_IF_ERROR(CheckPlainText("label", label, kLabelBytes));
  const bool for_ever = lifetime == absl::InfiniteDuration();
  if (lifetime <= absl::ZeroDuration() || (!for_ever && lifetime > kLongestLifetime)) {
    return Invalid("lifetime_seconds", fmt::format("`lifetime_seconds` is {}", absl::ToInt64Seconds(lifetime)),
                   "give at most 100 years, or 0 for ever");
  }
  NewToken made;
  ASSIGN_OR_RETURN(made.text, NewTokenText());
  const absl::Time expire_time = for_ever ? absl::InfiniteFuture() : clock_.Wall() + lifetime;
  ASSIGN_OR_RETURN(made.token, InsertToken(user_id, label, expire_time, made.text));
  return made;
}

absl::StatusOr<Page<TokenRecord>> Accounts::ListTokens(const std::string& user_id, int page_size,
                                                       const std::string& page_token) {
  return store_.ListUserTokens(user_id, page_size, page_token);
}

absl::StatusOr<TokenRecord> Accounts::RevokeToken(const std::string& user_id, int64_t number) {
  const std::lock_guard lock(changes_);
  ASSIGN_OR_RETURN(TokenRecord token, store_.GetUserToken(user_id, number));
  RETURN_IF_ERROR(CheckAdminStays([&](const TokenRecord& other) { return other.hash == token.hash; }));
  token.revoked = true;
  RETURN_IF_ERROR(store_.UpdateUserToken(token));
  return token;
}

absl::Status Accounts::MakeFirstAdmin(const std::string& text) {
  const std::lock_guard lock(changes_);
  ASSIGN_OR_RETURN(const std::vector<TokenRecord> tokens, store_.UsableAdminTokens(clock_.Wall()));
  if (!tokens.empty()) {
    // No reason of the contract fits: this never travels to a caller.
    return absl::FailedPreconditionError(
        fmt::format("there is an administrator already, \"{}\"; tokens are made with `deconvoy admin token new`",
                    tokens.front().user_id));
  }
  absl::StatusOr<UserRecord> user = store_.GetUser(kFirstAdmin);
  if (absl::IsNotFound(user.status())) {
    user = Add({.id = kFirstAdmin, .role = v1::ADMIN});
  } else if (user.ok()) {
    user->role = v1::ADMIN;
    user->disabled = false;
    RETURN_IF_ERROR(store_.UpdateUser(*user));
    Remember(*user);
  }
  RETURN_IF_ERROR(user.status());
  return InsertToken(kFirstAdmin, "made by deconvoyd --init", absl::InfiniteFuture(), text).status();
}

}  // namespace deconvoy::server
