// Users, their groups and their tokens, of the Admin service.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "proto/contract/user_name.h"
#include "proto/contract/volume_layout.h"
#include "server/api/admin_service.h"
#include "server/api/paging.h"

namespace deconvoy::server {
namespace {

// Without what they have and use.
v1::User ToProto(const UserRecord& record) {
  v1::User user;
  user.set_name(UserName(record.id));
  user.set_role(record.role);
  user.set_group(record.group);
  user.set_weight(record.weight);
  if (record.quota) *user.mutable_quota() = *record.quota;
  user.set_disabled(record.disabled);
  *user.mutable_create_time() = ToTimestamp(record.create_time);
  user.mutable_file_roots()->Assign(record.file_roots.begin(), record.file_roots.end());
  return user;
}

absl::StatusOr<UserRecord> ToRecord(const v1::User& user) {
  ASSIGN_OR_RETURN(const std::string id, UserId(user.name(), "user.name"));
  UserRecord record{
      .id = id, .role = user.role(), .group = user.group(), .weight = user.weight(), .disabled = user.disabled()};
  if (user.has_quota()) record.quota = user.quota();
  record.file_roots = {user.file_roots().begin(), user.file_roots().end()};
  return record;
}

v1::Group ToProto(const GroupRecord& record) {
  v1::Group group;
  group.set_name(record.name);
  group.set_weight(record.weight);
  group.set_users(static_cast<uint32_t>(record.users));
  return group;
}

v1::Token ToProto(const TokenRecord& record) {
  v1::Token token;
  token.set_name(UserTokenName({record.user_id, record.number}));
  token.set_label(record.label);
  *token.mutable_create_time() = ToTimestamp(record.create_time);
  if (record.expire_time != absl::InfiniteFuture()) *token.mutable_expire_time() = ToTimestamp(record.expire_time);
  if (record.last_used_time != absl::InfinitePast()) {
    *token.mutable_last_used_time() = ToTimestamp(record.last_used_time);
  }
  token.set_revoked(record.revoked);
  return token;
}

// Users have to do with themselves only; for them others are not there.
absl::Status CheckOwn(const Caller& caller, const std::string& user_id, const char* field, const std::string& name) {
  if (caller.role == v1::ADMIN || caller.owner == user_id) return absl::OkStatus();
  return MakeError({.reason = v1::NOT_FOUND, .field = field, .remedy = "name your own, or ask an administrator"},
                   fmt::format("there is no \"{}\"", name));
}

// The user that a request names, else the caller.
absl::StatusOr<std::string> NamedOrCaller(const Caller& caller, const std::string& name) {
  if (name.empty()) return caller.owner;
  ASSIGN_OR_RETURN(std::string id, UserId(name, "user"));
  RETURN_IF_ERROR(CheckOwn(caller, id, "user", name));
  return id;
}

// Which values a user is to have, for the audit log.
std::string ChangeText(const v1::User& user, const std::vector<std::string>& fields) {
  std::vector<std::string> changes;
  for (const std::string& field : fields) {
    if (field == "role") changes.push_back("role=" + v1::Role_Name(user.role()));
    if (field == "group") changes.push_back("group=" + user.group());
    if (field == "weight") changes.push_back(fmt::format("weight={}", user.weight()));
    if (field == "quota") changes.push_back(fmt::format("quota={}", user.quota().ShortDebugString()));
    if (field == "file_roots") changes.push_back(fmt::format("file_roots={}", fmt::join(user.file_roots(), ",")));
    if (field == "disabled") changes.push_back(fmt::format("disabled={}", user.disabled()));
  }
  return fmt::format("{} {}", user.name(), fmt::join(changes, " "));
}

}  // namespace

absl::Status AdminService::CheckNewRoots(std::vector<std::string> names, const std::vector<std::string>& held) const {
  std::erase_if(names, [&](const std::string& name) { return std::ranges::find(held, name) != held.end(); });
  return jobs_.CheckFileRoots(names, "user.file_roots");
}

absl::StatusOr<v1::User> AdminService::Describe(const UserRecord& record) {
  v1::User user = ToProto(record);
  ASSIGN_OR_RETURN(const deconvoy::server::Usage usage, store_.UsageOf(record.id));
  user.set_used_bytes(static_cast<uint64_t>(usage.bytes));
  user.set_unfinished_jobs(static_cast<uint32_t>(usage.unfinished_jobs));
  *user.mutable_limits() = volumes_.quotas().Of(record.id);
  user.set_recent_worker_seconds(dispatcher_.RecentWorkerSeconds(record.id));
  return user;
}

grpc::Status AdminService::StreamedCreateUser(grpc::ServerContext* context,
                                              Unary<v1::CreateUserRequest, v1::User>* stream) {
  Call call(door_, Call::kUser, "Admin.CreateUser", *context);
  return call.Answer(stream, [&](const v1::CreateUserRequest& request) -> absl::StatusOr<v1::User> {
    call.About(ChangeText(request.user(), {"role", "group", "weight", "quota", "file_roots", "disabled"}));
    ASSIGN_OR_RETURN(UserRecord user, ToRecord(request.user()));
    if (user.weight == 0) user.weight = 1;
    RETURN_IF_ERROR(CheckNewRoots(user.file_roots, {}));
    ASSIGN_OR_RETURN(user, accounts_.Add(std::move(user)));
    return Describe(user);
  });
}

grpc::Status AdminService::StreamedUpdateUser(grpc::ServerContext* context,
                                              Unary<v1::UpdateUserRequest, v1::User>* stream) {
  Call call(door_, Call::kUser, "Admin.UpdateUser", *context);
  return call.Answer(stream, [&](const v1::UpdateUserRequest& request) -> absl::StatusOr<v1::User> {
    const std::vector<std::string> fields(request.fields().begin(), request.fields().end());
    call.About(ChangeText(request.user(), fields));
    ASSIGN_OR_RETURN(UserRecord user, ToRecord(request.user()));
    if (std::ranges::find(fields, "file_roots") != fields.end()) {
      ASSIGN_OR_RETURN(const UserRecord before, accounts_.Find(user.id));
      RETURN_IF_ERROR(CheckNewRoots(user.file_roots, before.file_roots));
    }
    ASSIGN_OR_RETURN(user, accounts_.Update(user, fields));
    return Describe(user);
  });
}

grpc::Status AdminService::StreamedGetUser(grpc::ServerContext* context, Unary<v1::GetUserRequest, v1::User>* stream) {
  Call call(door_, Call::kUser, "Admin.GetUser", *context);
  return call.Answer(stream, [&](const v1::GetUserRequest& request) -> absl::StatusOr<v1::User> {
    call.About(request.user());
    ASSIGN_OR_RETURN(const std::string id, NamedOrCaller(call.caller(), request.user()));
    ASSIGN_OR_RETURN(const UserRecord user, accounts_.Find(id));
    return Describe(user);
  });
}

grpc::Status AdminService::StreamedListUsers(grpc::ServerContext* context,
                                             Unary<v1::ListUsersRequest, v1::ListUsersResponse>* stream) {
  Call call(door_, Call::kUser, "Admin.ListUsers", *context);
  return call.Answer(stream, [&](const v1::ListUsersRequest& request) -> absl::StatusOr<v1::ListUsersResponse> {
    v1::ListUsersResponse response;
    ASSIGN_OR_RETURN(const Page<UserRecord> page,
                     accounts_.List(static_cast<int>(PageSize(request.page_size())), request.page_token()));
    for (const UserRecord& user : page.items) {
      ASSIGN_OR_RETURN(*response.add_users(), Describe(user));
    }
    response.set_next_page_token(page.next_token);
    return response;
  });
}

grpc::Status AdminService::StreamedSetGroupWeight(grpc::ServerContext* context,
                                                  Unary<v1::SetGroupWeightRequest, v1::Group>* stream) {
  Call call(door_, Call::kUser, "Admin.SetGroupWeight", *context);
  return call.Answer(stream, [&](const v1::SetGroupWeightRequest& request) -> absl::StatusOr<v1::Group> {
    call.About(fmt::format("{} weight={}", request.group(), request.weight()));
    ASSIGN_OR_RETURN(const GroupRecord group, accounts_.SetGroupWeight(request.group(), request.weight()));
    return ToProto(group);
  });
}

grpc::Status AdminService::StreamedListGroups(grpc::ServerContext* context,
                                              Unary<v1::ListGroupsRequest, v1::ListGroupsResponse>* stream) {
  Call call(door_, Call::kUser, "Admin.ListGroups", *context);
  return call.Answer(stream, [&](const v1::ListGroupsRequest& request) -> absl::StatusOr<v1::ListGroupsResponse> {
    v1::ListGroupsResponse response;
    ASSIGN_OR_RETURN(const Page<GroupRecord> page,
                     accounts_.ListGroups(static_cast<int>(PageSize(request.page_size())), request.page_token()));
    for (const GroupRecord& group : page.items) *response.add_groups() = ToProto(group);
    response.set_next_page_token(page.next_token);
    return response;
  });
}

grpc::Status AdminService::StreamedCreateToken(grpc::ServerContext* context,
                                               Unary<v1::CreateTokenRequest, v1::CreateTokenResponse>* stream) {
  Call call(door_, Call::kUser, "Admin.CreateToken", *context);
  return call.Answer(stream, [&](const v1::CreateTokenRequest& request) -> absl::StatusOr<v1::CreateTokenResponse> {
    call.About(request.user());
    v1::CreateTokenResponse response;
    ASSIGN_OR_RETURN(const std::string id, UserId(request.user(), "user"));
    // More seconds than a duration holds become the longest one, which is refused as such.
    constexpr uint64_t kMostSeconds = uint64_t{1} << 40;
    const absl::Duration lifetime =
        request.lifetime_seconds() == 0
            ? absl::InfiniteDuration()
            : absl::Seconds(static_cast<int64_t>(std::min(request.lifetime_seconds(), kMostSeconds)));
    ASSIGN_OR_RETURN(const Accounts::NewToken made, accounts_.MakeToken(id, request.label(), lifetime));
    *response.mutable_token() = ToProto(made.token);
    response.set_text(made.text);
    call.About(response.token().name());
    return response;
  });
}

grpc::Status AdminService::StreamedListTokens(grpc::ServerContext* context,
                                              Unary<v1::ListTokensRequest, v1::ListTokensResponse>* stream) {
  Call call(door_, Call::kUser, "Admin.ListTokens", *context);
  return call.Answer(stream, [&](const v1::ListTokensRequest& request) -> absl::StatusOr<v1::ListTokensResponse> {
    call.About(request.user());
    v1::ListTokensResponse response;
    ASSIGN_OR_RETURN(const std::string id, NamedOrCaller(call.caller(), request.user()));
    ASSIGN_OR_RETURN(const Page<TokenRecord> page,
                     accounts_.ListTokens(id, static_cast<int>(PageSize(request.page_size())), request.page_token()));
    for (const TokenRecord& token : page.items) *response.add_tokens() = ToProto(token);
    response.set_next_page_token(page.next_token);
    return response;
  });
}

grpc::Status AdminService::StreamedRevokeToken(grpc::ServerContext* context,
                                               Unary<v1::RevokeTokenRequest, v1::Token>* stream) {
  Call call(door_, Call::kUser, "Admin.RevokeToken", *context);
  return call.Answer(stream, [&](const v1::RevokeTokenRequest& request) -> absl::StatusOr<v1::Token> {
    call.About(request.token());
    ASSIGN_OR_RETURN(const UserTokenId id, ParseUserTokenName(request.token(), "token"));
    RETURN_IF_ERROR(CheckOwn(call.caller(), id.user_id, "token", request.token()));
    ASSIGN_OR_RETURN(const TokenRecord token, accounts_.RevokeToken(id.user_id, id.number));
    return ToProto(token);
  });
}

}  // namespace deconvoy::server
