// The tables `volumes` and `boxes`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::volume_table {

// A job's output has no digest: whatever its spec says is dropped.
absl::Status Insert(Database& database, const VolumeRecord& volume, bool job_output);
absl::StatusOr<VolumeRecord> Get(Database& database, const std::string& id);
absl::StatusOr<bool> Exists(Database& database, const std::string& id);
absl::StatusOr<std::optional<VolumeRecord>> FindByDigest(Database& database, const std::string& owner,
                                                         const std::string& digest);
absl::StatusOr<std::optional<VolumeRecord>> FindUnfinished(Database& database, const std::string& owner,
                                                           const std::string& digest);
absl::StatusOr<Page<VolumeRecord>> List(Database& database, const std::string& owner, int page_size,
                                        const std::string& page_token);
absl::StatusOr<std::vector<std::string>> AllIds(Database& database);

// Adds boxes of a WRITING volume; a box that is there already with the same extent and CRC-32C is passed over.
// BOX_OVERLAPS for another box at the same origin; VOLUME_COMPLETE for new boxes of a complete volume.
absl::Status CommitBoxes(Database& database, const std::string& id, const std::vector<CommittedBox>& boxes);
absl::StatusOr<std::vector<CommittedBox>> GetBoxes(Database& database, const std::string& id, int64_t t, int64_t c);

absl::StatusOr<std::vector<CommittedBox>> GetBoxesFrom(Database& database, const std::string& id, int64_t t, int64_t c,
                                                       int64_t from_z, int64_t to_z);

absl::Status Use(Database& database, const std::string& id, absl::Time when);
// Of every volume of the job with this key.
absl::Status UseAllOf(Database& database, int64_t job_key, absl::Time when);
absl::Status MarkFetched(Database& database, const std::string& id);
absl::Status ForgetDigest(Database& database, const std::string& id);
absl::StatusOr<int64_t> BytesOf(Database& database, const std::string& owner);
absl::StatusOr<std::vector<VolumeRecord>> Idle(Database& database, VolumeKind kind, absl::Time before, int limit);

// With an empty `digest` the volume cannot be found by digest.
absl::Status Complete(Database& database, const std::string& id, const std::string& digest);
// The same for the output of a job, which becomes an upload.
absl::Status CompleteImport(Database& database, const std::string& id, const std::string& digest);
absl::Status Delete(Database& database, const std::string& id);

}  // namespace deconvoy::server::volume_table
