#include "server/store/user_table.h"

#include <fmt/format.h>

#include <limits>
#include <string_view>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/user_name.h"
#include "server/store/page_room.h"
#include "server/store/page_token.h"

namespace deconvoy::server::user_table {
namespace {

#define USER_SELECT "SELECT id, role, group_name, weight, quota, disabled, create_time_ns, file_roots FROM users "
#define TOKEN_SELECT                                                                                         \
  "SELECT users.id, number, hash, label, tokens.create_time_ns, expire_time_ns, last_used_time_ns, revoked " \
  "FROM tokens JOIN users ON users.key = tokens.user "

constexpr int kRootsColumn = 7;

absl::Status NoSuchUser(const std::string& id) {
  return MakeError(
      {.reason = v1::NOT_FOUND, .field = "user", .remedy = "`deconvoy admin user list` tells who there is."},
      fmt::format("there is no user \"{}\"", UserName(id)));
}

// Times that need not be are NULL.
Statement& BindTime(Statement& statement, absl::Time time) {
  const bool known = time != absl::InfiniteFuture() && time != absl::InfinitePast();
  return known ? statement.Bind(absl::ToUnixNanos(time)) : statement.BindNull();
}

absl::Time TimeOr(const Statement& row, int column, absl::Time otherwise) {
  return row.IsNull(column) ? otherwise : absl::FromUnixNanos(row.Int(column));
}

Statement& BindQuota(Statement& statement, const std::optional<v1::Quota>& quota) {
  return quota ? statement.BindBlob(quota->SerializeAsString()) : statement.BindNull();
}

// Kept in one field, each followed by a slash, which none of them has.
std::string JoinRoots(const std::vector<std::string>& roots) {
  std::string joined;
  for (const std::string& root : roots) joined += root + "/";
  return joined;
}

std::vector<std::string> SplitRoots(std::string_view joined) {
  std::vector<std::string> roots;
  for (size_t end = joined.find('/'); end != std::string_view::npos; end = joined.find('/')) {
    roots.emplace_back(joined.substr(0, end));
    joined.remove_prefix(end + 1);
  }
  return roots;
}

absl::StatusOr<UserRecord> ToUser(const Database& database, const Statement& row) {
  UserRecord user{.id = row.Bytes(0),
                  .role = static_cast<v1::Role>(row.Int(1)),
                  .group = row.Bytes(2),
                  .weight = row.Real(3),
                  .disabled = row.Int(5) != 0,
                  .create_time = absl::FromUnixNanos(row.Int(6)),
                  .file_roots = SplitRoots(row.Bytes(kRootsColumn))};
  if (row.IsNull(4)) return user;
  if (!user.quota.emplace().ParseFromString(row.Bytes(4))) {
    return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                     fmt::format("{}: the quota of {} is damaged", database.path().string(), UserName(user.id)));
  }
  return user;
}

TokenRecord ToToken(const Statement& row) {
  return {.user_id = row.Bytes(0),
          .number = row.Int(1),
          .hash = row.Bytes(2),
          .label = row.Bytes(3),
          .create_time = absl::FromUnixNanos(row.Int(4)),
          .expire_time = TimeOr(row, 5, absl::InfiniteFuture()),
          .last_used_time = TimeOr(row, 6, absl::InfinitePast()),
          .revoked = row.Int(7) != 0};
}

}  // namespace

absl::Status Insert(Database& database, const UserRecord& user) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT OR IGNORE INTO users (id, role, group_name, weight, quota, disabled,"
                                    " create_time_ns, file_roots, last_token) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)"));
  insert.Bind(user.id).Bind(int64_t{user.role}).Bind(user.group).BindReal(user.weight);
  BindQuota(insert, user.quota).Bind(int64_t{user.disabled}).Bind(absl::ToUnixNanos(user.create_time));
  insert.Bind(JoinRoots(user.file_roots));
  RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 1) return absl::OkStatus();
  // No reason of the contract fits: the code alone tells.
  return absl::AlreadyExistsError(fmt::format("there is a user \"{}\" already", UserName(user.id)));
}

absl::StatusOr<UserRecord> Get(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(USER_SELECT "WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(id).Step());
  if (!row) return NoSuchUser(id);
  return ToUser(database, query);
}

absl::Status Update(Database& database, const UserRecord& user) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE users SET role = ?, group_name = ?, weight = ?, quota = ?, disabled = ?,"
                                    " file_roots = ? WHERE id = ?"));
  update.Bind(int64_t{user.role}).Bind(user.group).BindReal(user.weight);
  BindQuota(update, user.quota).Bind(int64_t{user.disabled}).Bind(JoinRoots(user.file_roots)).Bind(user.id);
  RETURN_IF_ERROR(update.Run());
  return database.changes() == 1 ? absl::OkStatus() : NoSuchUser(user.id);
}

absl::StatusOr<Page<UserRecord>> List(Database& database, int page_size, const std::string& page_token) {
  PageKey after{0, ""};
  if (!page_token.empty()) {
    ASSIGN_OR_RETURN(after, FromPageToken(page_token));
  }
  const int size = PageSize(page_size);
  PageRoom room(size);
  ASSIGN_OR_RETURN(Statement query, database.Prepare(USER_SELECT "WHERE id > ? ORDER BY id LIMIT ?"));
  query.Bind(after.id).Bind(int64_t{size} + 1);
  Page<UserRecord> page;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (!room.Take(query.Size(kRootsColumn))) {
      page.next_token = ToPageToken({0, page.items.back().id});
      return page;
    }
    ASSIGN_OR_RETURN(UserRecord user, ToUser(database, query));
    page.items.push_back(std::move(user));
  }
}

absl::Status InsertToken(Database& database, TokenRecord& token) {
  ASSIGN_OR_RETURN(
      Statement advance,
      database.Prepare("UPDATE users SET last_token = last_token + 1 WHERE id = ? RETURNING key, last_token"));
  int64_t user_key = 0;
  {
    ASSIGN_OR_RETURN(const bool row, advance.Bind(token.user_id).Step());
    if (!row) return NoSuchUser(token.user_id);
    user_key = advance.Int(0);
    token.number = advance.Int(1);
    RETURN_IF_ERROR(advance.Step().status());
  }
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Bind(user_key).Bind(token.number).BindBlob(token.hash).Bind(token.label);
  insert.Bind(absl::ToUnixNanos(token.create_time));
  BindTime(insert, token.expire_time);
  BindTime(insert, token.last_used_time);
  return insert.Bind(int64_t{token.revoked}).Run();
}

absl::StatusOr<std::optional<TokenRecord>> FindToken(Database& database, const std::string& hash) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(TOKEN_SELECT "WHERE hash = ?"));
  ASSIGN_OR_RETURN(const bool row, query.BindBlob(hash).Step());
  if (!row) return std::nullopt;
  return ToToken(query);
}

absl::StatusOr<TokenRecord> GetToken(Database& database, const std::string& user_id, int64_t number) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(TOKEN_SELECT "WHERE users.id = ? AND number = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(user_id).Bind(number).Step());
  if (row) return ToToken(query);
  return MakeError(
      {.reason = v1::NOT_FOUND, .field = "token", .remedy = "`deconvoy admin token list` tells which there are."},
      fmt::format("there is no token \"{}\"", UserTokenName({user_id, number})));
}

absl::StatusOr<Page<TokenRecord>> ListTokens(Database& database, const std::string& user_id, int page_size,
                                             const std::string& page_token) {
  RETURN_IF_ERROR(Get(database, user_id).status());
  PageKey before{std::numeric_limits<int64_t>::max(), ""};
  if (!page_token.empty()) {
    ASSIGN_OR_RETURN(before, FromPageToken(page_token));
  }
  const int size = PageSize(page_size);
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare(TOKEN_SELECT "WHERE users.id = ? AND number < ? ORDER BY number DESC LIMIT ?"));
  query.Bind(user_id).Bind(before.place).Bind(int64_t{size} + 1);
  Page<TokenRecord> page;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (page.items.size() == static_cast<size_t>(size)) {
      page.next_token = ToPageToken({page.items.back().number, ""});
      return page;
    }
    page.items.push_back(ToToken(query));
  }
}

absl::Status UpdateToken(Database& database, const TokenRecord& token) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE tokens SET last_used_time_ns = ?, revoked = ? WHERE hash = ?"));
  BindTime(update, token.last_used_time).Bind(int64_t{token.revoked}).BindBlob(token.hash);
  return update.Run();
}

absl::StatusOr<std::vector<TokenRecord>> UsableAdminTokens(Database& database, absl::Time now) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(TOKEN_SELECT "WHERE role = ? AND disabled = 0 AND revoked = 0 AND"
                                                                  " (expire_time_ns IS NULL OR expire_time_ns > ?)"));
  query.Bind(int64_t{v1::ADMIN}).Bind(absl::ToUnixNanos(now));
  std::vector<TokenRecord> tokens;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return tokens;
    tokens.push_back(ToToken(query));
  }
}

#undef USER_SELECT
#undef TOKEN_SELECT

}  // namespace deconvoy::server::user_table
