// The tables `tasks` and `events`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "server/store/job_table.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::task_table {

absl::Status Insert(Database& database, int64_t job, const std::vector<TaskRecord>& tasks);
// NOT_FOUND for a task that is not there.
absl::Status Update(Database& database, int64_t job, const std::vector<TaskRecord>& tasks);
// In the order of their numbers.
absl::StatusOr<std::vector<TaskRecord>> List(Database& database, const std::string& job_id);

// Appends events under the numbers that follow `job.last_sequence`, which moves on.
absl::Status AppendEvents(Database& database, job_table::JobKey& job, const std::vector<v1::JobEvent>& events);
absl::StatusOr<std::vector<v1::JobEvent>> ListEvents(Database& database, const std::string& job_id, uint64_t after,
                                                     int limit);

}  // namespace deconvoy::server::task_table
