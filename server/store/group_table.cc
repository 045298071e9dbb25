#include "server/store/group_table.h"

#include <fmt/format.h>

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/store/page_token.h"

namespace deconvoy::server::group_table {
namespace {

// Those that somebody is in, and those with a weight of their own.
#define GROUP_SELECT                                                                                 \
  "SELECT name, coalesce((SELECT weight FROM group_weights AS own WHERE own.name = known.name), 1)," \
  " (SELECT count(*) FROM users WHERE group_name = known.name) FROM"                                 \
  " (SELECT group_name AS name FROM users WHERE group_name <> '' UNION SELECT name FROM group_weights) AS known "

GroupRecord ToGroup(const Statement& row) {
  return {.name = row.Bytes(0), .weight = row.Real(1), .users = row.Int(2)};
}

absl::StatusOr<GroupRecord> Get(Database& database, const std::string& group) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(GROUP_SELECT "WHERE name = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(group).Step());
  if (row) return ToGroup(query);
  return MakeError(
      {.reason = v1::NOT_FOUND,
       .field = "group",
       .remedy = "`deconvoy admin group list` tells which there are; a group is there once a user is in it."},
      fmt::format("there is no group \"{}\"", group));
}

}  // namespace

absl::StatusOr<GroupRecord> SetWeight(Database& database, const std::string& group, double weight) {
  ASSIGN_OR_RETURN(GroupRecord record, Get(database, group));
  record.weight = weight;
  if (weight == 1) {
    ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM group_weights WHERE name = ?"));
    RETURN_IF_ERROR(remove.Bind(group).Run());
    return record;
  }
  ASSIGN_OR_RETURN(Statement set, database.Prepare("INSERT INTO group_weights VALUES (?, ?)"
                                                   " ON CONFLICT (name) DO UPDATE SET weight = excluded.weight"));
  RETURN_IF_ERROR(set.Bind(group).BindReal(weight).Run());
  return record;
}

absl::StatusOr<Page<GroupRecord>> List(Database& database, int page_size, const std::string& page_token) {
  PageKey after{0, ""};
  if (!page_token.empty()) {
    ASSIGN_OR_RETURN(after, FromPageToken(page_token));
  }
  const int size = PageSize(page_size);
  ASSIGN_OR_RETURN(Statement query, database.Prepare(GROUP_SELECT "WHERE name > ? ORDER BY name LIMIT ?"));
  query.Bind(after.id).Bind(int64_t{size} + 1);
  Page<GroupRecord> page;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (page.items.size() == static_cast<size_t>(size)) {
      page.next_token = ToPageToken({0, page.items.back().name});
      return page;
    }
    page.items.push_back(ToGroup(query));
  }
}

#undef GROUP_SELECT

}  // namespace deconvoy::server::group_table
