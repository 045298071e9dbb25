#include "server/store/request_table.h"

#include <fmt/format.h>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server::request_table {

absl::StatusOr<std::optional<Store::RequestRecord>> Find(Database& database, const std::string& owner,
                                                         const std::string& request_id) {
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT body_digest, resource_id FROM requests WHERE owner = ? AND request_id = ?"));
  query.Bind(owner).Bind(request_id);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return std::nullopt;
  return Store::RequestRecord{query.Bytes(0), query.Bytes(1)};
}

absl::Status Insert(Database& database, const std::string& owner, const std::string& request_id,
                    const Store::RequestRecord& record) {
  if (request_id.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?)"));
  insert.Bind(owner).Bind(request_id).BindBlob(record.body_digest).Bind(record.resource_id);
  RETURN_IF_ERROR(insert.Run());
  if (database.changes() == 1) return absl::OkStatus();
  return MakeError(
      {.reason = v1::REQUEST_ID_REUSED, .field = "request_id", .remedy = "Choose a new request id for a new request."},
      fmt::format("request id \"{}\" has been used already", Printable(request_id)));
}

absl::Status DeleteOf(Database& database, const std::string& resource_id) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM requests WHERE resource_id = ?"));
  return remove.Bind(resource_id).Run();
}

absl::StatusOr<int64_t> AdvanceTokens(Database& database, int64_t count) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE counters SET value = value + ? WHERE name = 'token'"));
  RETURN_IF_ERROR(update.Bind(count).Run());
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT value FROM counters WHERE name = 'token'"));
  ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) {
    return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                     fmt::format("{}: the counter of fencing tokens is missing", database.path().string()));
  }
  return query.Int(0);
}

absl::Status SetCounter(Database& database, const std::string& name, int64_t value) {
  ASSIGN_OR_RETURN(Statement set, database.Prepare("INSERT OR REPLACE INTO counters VALUES (?, ?)"));
  return set.Bind(name).Bind(value).Run();
}

absl::StatusOr<int64_t> GetCounter(Database& database, const std::string& name) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT value FROM counters WHERE name = ?"));
  query.Bind(name);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  return row ? query.Int(0) : 0;
}

}  // namespace deconvoy::server::request_table
