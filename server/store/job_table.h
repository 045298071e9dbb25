// The tables `jobs` and `job_volumes`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::job_table {

// Where a job's tasks and events hang, and the number of its newest event.
struct JobKey {
  int64_t key = 0;
  uint64_t last_sequence = 0;
};

absl::StatusOr<JobKey> Insert(Database& database, const JobRecord& job);
absl::StatusOr<JobKey> Find(Database& database, const std::string& id);
// Replaces the record of the job with this key; `last_sequence` becomes that of its newest event.
absl::Status Update(Database& database, const JobKey& key, const JobRecord& job);

// NOT_FOUND unless every volume that the job reads exists.
absl::Status CheckInputs(Database& database, const JobRecord& job);

absl::StatusOr<JobRecord> Get(Database& database, const std::string& id);
absl::StatusOr<Page<JobRecord>> List(Database& database, const std::string& owner, int page_size,
                                     const std::string& page_token, bool unfinished_only);
absl::StatusOr<std::vector<JobRecord>> Unfinished(Database& database);
absl::Status Delete(Database& database, const std::string& id);

// The id of the job that made the volume; empty where none is known.
absl::StatusOr<std::string> MakerOf(Database& database, const std::string& volume_id);

absl::StatusOr<int64_t> CountUnfinished(Database& database, const std::string& owner);
absl::StatusOr<std::vector<std::string>> VolumesOf(Database& database, const std::string& job_id);
absl::StatusOr<std::vector<std::string>> UnfinishedUsing(Database& database, const std::string& volume_id);

}  // namespace deconvoy::server::job_table
