// Looking into a database that nobody serves from, beneath the store's own calls: what SQLite says of the file, what
// the tables say of one another, and the few changes that put them right again.
//
// Not thread safe. REQUIRES: the state folder's lock is held, but for Open and CopyInto. Errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server {

// What the tables say of one job.
struct JobFacts {
  std::string id;
  int64_t state = 0;  // as stored, legal or not
  int64_t last_sequence = 0;
  int64_t tasks = 0;
  int64_t highest_task = -1;     // number; -1 without tasks
  int64_t open_tasks = 0;        // BLOCKED, READY or LEASED
  int64_t unfinished_tasks = 0;  // not DONE
  int64_t illegal_tasks = 0;     // in a state that there is not
  int64_t events = 0;
  int64_t highest_event = 0;  // sequence; 0 without events
  int64_t highest_token = 0;
};

// STORAGE_FAILURE, saying what to do, when SQLite finds the file damaged. Reads all of it, but does not compare indexes
// with their tables.
absl::Status CheckSound(Database& database);

class StoreAudit {
 public:
  // Opens a database that is there, and changes nothing of it. NOT_FOUND when it is not there; FAILED_PRECONDITION with
  // INCOMPATIBLE_VERSION, naming both versions, for any schema but the current one.
  static absl::StatusOr<std::unique_ptr<StoreAudit>> Open(const std::filesystem::path& path);

  // --- looking ---
  // What SQLite finds wrong, indexes included, at most about 100 lines; empty when nothing is. Where it is not empty,
  // nothing else here can be relied on.
  std::vector<std::string> Damage();
  // Rows that hang on a row that is not there, such as `12 rows of boxes`; empty when there are none.
  absl::StatusOr<std::vector<std::string>> Strays();
  absl::StatusOr<std::vector<JobFacts>> Jobs();
  absl::StatusOr<uint64_t> TokenCounter();  // the largest token that may have been given out
  // Ids of the volumes that a job reads or writes.
  absl::StatusOr<std::vector<std::string>> VolumesOf(const std::string& job_id);

  // Writes what one transaction sees into the new file `path`. A server may go on meanwhile.
  absl::Status CopyInto(const std::filesystem::path& path);

  // --- putting right, each in one transaction ---
  // Builds every index anew from its table. Helps where Damage names indexes only.
  absl::Status Reindex();
  absl::Status RemoveStrays();
  // Forgets boxes, so that they count as missing, and counts the committed bytes anew. A volume that misses something
  // now is WRITING, and is not found by its digest any more.
  absl::Status DropBoxes(const std::string& volume_id, const std::vector<FrameBox>& boxes);
  // Removes the volume's record, that of the PSF or model that it holds, and those of the request that made it.
  absl::Status RemoveVolume(const std::string& id);
  absl::Status RaiseTokens(uint64_t newest);
  // Cancels what is open of a job that has ended.
  absl::Status CloseTasks(const std::string& job_id);

 private:
  explicit StoreAudit(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  absl::StatusOr<std::vector<std::string>> Texts(Statement query) const;

  const std::unique_ptr<Database> database_;
};

}  // namespace deconvoy::server
