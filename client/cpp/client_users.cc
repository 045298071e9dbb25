// Users, their groups and their tokens, of the client.
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {

using Admin = v1::Admin::Stub;

// What is made has no request id: a repetition after a broken connection finds the user there, or makes a second token.
// Neither is repeated, then.
absl::StatusOr<v1::User> Client::CreateUser(const v1::User& user, std::stop_token stop) const {
  v1::CreateUserRequest request;
  *request.mutable_user() = user;
  return connection_->Once(connection_->admin(), &Admin::CreateUser, request, stop);
}

absl::StatusOr<v1::User> Client::UpdateUser(const v1::User& user, const std::vector<std::string>& fields,
                                            std::stop_token stop) const {
  v1::UpdateUserRequest request;
  *request.mutable_user() = user;
  request.mutable_fields()->Assign(fields.begin(), fields.end());
  return connection_->Call(connection_->admin(), &Admin::UpdateUser, request, stop);
}

absl::StatusOr<v1::User> Client::GetUser(const std::string& user, std::stop_token stop) const {
  v1::GetUserRequest request;
  request.set_user(user);
  return connection_->Call(connection_->admin(), &Admin::GetUser, request, stop);
}

absl::StatusOr<std::vector<v1::User>> Client::ListUsers(std::stop_token stop) const {
  std::vector<v1::User> all;
  v1::ListUsersRequest request;
  do {
    ASSIGN_OR_RETURN(const v1::ListUsersResponse page,
                     connection_->Call(connection_->admin(), &Admin::ListUsers, request, stop));
    all.insert(all.end(), page.users().begin(), page.users().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Group> Client::SetGroupWeight(const std::string& group, double weight, std::stop_token stop) const {
  v1::SetGroupWeightRequest request;
  request.set_group(group);
  request.set_weight(weight);
  return connection_->Call(connection_->admin(), &Admin::SetGroupWeight, request, stop);
}

absl::StatusOr<std::vector<v1::Group>> Client::ListGroups(std::stop_token stop) const {
  std::vector<v1::Group> all;
  v1::ListGroupsRequest request;
  do {
    ASSIGN_OR_RETURN(const v1::ListGroupsResponse page,
                     connection_->Call(connection_->admin(), &Admin::ListGroups, request, stop));
    all.insert(all.end(), page.groups().begin(), page.groups().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::CreateTokenResponse> Client::CreateToken(const std::string& user, const std::string& label,
                                                            absl::Duration lifetime, std::stop_token stop) const {
  v1::CreateTokenRequest request;
  request.set_user(user);
  request.set_label(label);
  const bool for_ever = lifetime == absl::InfiniteDuration();
  request.set_lifetime_seconds(for_ever ? 0 : static_cast<uint64_t>(absl::ToInt64Seconds(lifetime)));
  return connection_->Once(connection_->admin(), &Admin::CreateToken, request, stop);
}

absl::StatusOr<std::vector<v1::Token>> Client::ListTokens(const std::string& user, std::stop_token stop) const {
  std::vector<v1::Token> all;
  v1::ListTokensRequest request;
  request.set_user(user);
  do {
    ASSIGN_OR_RETURN(const v1::ListTokensResponse page,
                     connection_->Call(connection_->admin(), &Admin::ListTokens, request, stop));
    all.insert(all.end(), page.tokens().begin(), page.tokens().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Token> Client::RevokeToken(const std::string& token, std::stop_token stop) const {
  v1::RevokeTokenRequest request;
  request.set_token(token);
  return connection_->Call(connection_->admin(), &Admin::RevokeToken, request, stop);
}

}  // namespace deconvoy::client
