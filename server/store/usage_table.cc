#include "server/store/usage_table.h"

#include <absl/time/time.h>

#include "proto/contract/status_macros.h"

namespace deconvoy::server {

std::string MonthOf(absl::Time time) {
  return absl::FormatTime("%Y-%m", time, absl::UTCTimeZone());
}

namespace usage_table {

absl::Status Add(Database& database, const UsageRecord& added) {
  ASSIGN_OR_RETURN(Statement add,
                   database.Prepare("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (owner, month) DO UPDATE"
                                    " SET worker_ms = worker_ms + excluded.worker_ms, tasks = tasks + excluded.tasks,"
                                    " bytes_in = bytes_in + excluded.bytes_in,"
                                    " bytes_out = bytes_out + excluded.bytes_out"));
  add.Bind(added.owner).Bind(added.month).Bind(added.worker_ms).Bind(added.tasks);
  return add.Bind(added.bytes_in).Bind(added.bytes_out).Run();
}

absl::StatusOr<std::vector<UsageRecord>> List(Database& database, const std::string& first, const std::string& last) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT owner, month, worker_ms, tasks, bytes_in, bytes_out FROM usage"
                                    " WHERE month >= ?1 AND (?2 = '' OR month <= ?2) ORDER BY owner, month"));
  query.Bind(first).Bind(last);
  std::vector<UsageRecord> usage;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return usage;
    usage.push_back({.owner = query.Bytes(0),
                     .month = query.Bytes(1),
                     .worker_ms = query.Int(2),
                     .tasks = query.Int(3),
                     .bytes_in = query.Int(4),
                     .bytes_out = query.Int(5)});
  }
}

absl::Status SetShare(Database& database, const ShareRecord& share) {
  ASSIGN_OR_RETURN(Statement set, database.Prepare("INSERT OR REPLACE INTO shares VALUES (?, ?, ?)"));
  return set.Bind(share.owner).Bind(share.spent_ms).Bind(share.at_ms).Run();
}

absl::StatusOr<std::vector<ShareRecord>> Shares(Database& database) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT owner, spent_ms, at_ms FROM shares ORDER BY owner"));
  std::vector<ShareRecord> shares;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return shares;
    shares.push_back({.owner = query.Bytes(0), .spent_ms = query.Int(1), .at_ms = query.Int(2)});
  }
}

}  // namespace usage_table
}  // namespace deconvoy::server
