#include "server/store/task_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server::task_table {
namespace {

// All columns but the key, in the order of both statements below.
void BindTask(Statement& statement, const TaskRecord& task) {
  statement.Bind(static_cast<int64_t>(task.kind)).Bind(static_cast<int64_t>(task.state));
  statement.Bind(task.t).Bind(task.c).Bind(task.tile).Bind(static_cast<int64_t>(task.token)).Bind(task.worker);
  statement.Bind(int64_t{task.failures}).Bind(int64_t{task.losses}).Bind(absl::ToUnixNanos(task.not_before));
}

TaskRecord FromRow(const std::string& job_id, const Statement& row) {
  return {.job_id = job_id,
          .number = row.Int(0),
          .kind = static_cast<TaskKind>(row.Int(1)),
          .state = static_cast<TaskState>(row.Int(2)),
          .t = row.Int(3),
          .c = row.Int(4),
          .tile = row.Int(5),
          .token = static_cast<uint64_t>(row.Int(6)),
          .worker = row.Bytes(7),
          .failures = static_cast<int32_t>(row.Int(8)),
          .losses = static_cast<int32_t>(row.Int(9)),
          .not_before = absl::FromUnixNanos(row.Int(10))};
}

}  // namespace

absl::Status Insert(Database& database, int64_t job, const std::vector<TaskRecord>& tasks) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO tasks (kind, state, t, c, tile, token, worker, failures, losses,"
                                    " not_before_ns, job, number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const TaskRecord& task : tasks) {
    BindTask(insert, task);
    RETURN_IF_ERROR(insert.Bind(job).Bind(task.number).Run());
  }
  return absl::OkStatus();
}

absl::Status Update(Database& database, int64_t job, const std::vector<TaskRecord>& tasks) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE tasks SET kind = ?, state = ?, t = ?, c = ?, tile = ?, token = ?,"
                                    " worker = ?, failures = ?, losses = ?, not_before_ns = ?"
                                    " WHERE job = ? AND number = ?"));
  for (const TaskRecord& task : tasks) {
    BindTask(update, task);
    RETURN_IF_ERROR(update.Bind(job).Bind(task.number).Run());
    if (database.changes() == 0) {
      return MakeError({.reason = v1::NOT_FOUND},
                       fmt::format("there is no task \"{}\"", TaskName(task.job_id, task.number)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TaskRecord>> List(Database& database, const std::string& job_id) {
  ASSIGN_OR_RETURN(const job_table::JobKey job, job_table::Find(database, job_id));
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT number, kind, state, t, c, tile, token, worker, failures, losses,"
                                    " not_before_ns FROM tasks WHERE job = ? ORDER BY number"));
  query.Bind(job.key);
  std::vector<TaskRecord> tasks;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return tasks;
    tasks.push_back(FromRow(job_id, query));
  }
}

absl::Status AppendEvents(Database& database, job_table::JobKey& job, const std::vector<v1::JobEvent>& events) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO events VALUES (?, ?, ?)"));
  for (v1::JobEvent event : events) {
    event.set_sequence(++job.last_sequence);
    if (event.has_ended()) event.mutable_ended()->set_last_sequence(job.last_sequence);
    insert.Bind(job.key).Bind(static_cast<int64_t>(job.last_sequence)).BindBlob(event.SerializeAsString());
    RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::JobEvent>> ListEvents(Database& database, const std::string& job_id, uint64_t after,
                                                     int limit) {
  ASSIGN_OR_RETURN(const job_table::JobKey job, job_table::Find(database, job_id));
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT event FROM events WHERE job = ? AND sequence > ? ORDER BY sequence LIMIT ?"));
  const uint64_t start = std::min(after, job.last_sequence);
  query.Bind(job.key).Bind(static_cast<int64_t>(start)).Bind(int64_t{std::max(limit, 0)});
  std::vector<v1::JobEvent> events;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return events;
    if (!events.emplace_back().ParseFromString(query.Bytes(0))) {
      return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                       fmt::format("{}: an event of job {} is damaged", database.path().string(), job_id));
    }
  }
}

}  // namespace deconvoy::server::task_table
