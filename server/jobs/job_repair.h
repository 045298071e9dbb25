// What is done to jobs whose voxels were lost from the disk, while no server runs.
//
// Nothing else uses the store meanwhile. Errors are those of the store, and STORAGE_FAILURE for a record that cannot be
// read.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/jobs/live_job.h"
#include "server/store/store.h"

namespace deconvoy::server {

// The job as a starting server would hold it. `volumes`: the ids of all volumes that it reads or writes; of one that is
// not there, the description is empty.
absl::StatusOr<std::unique_ptr<LiveJob>> LoadJob(Store& store, const std::string& job_id,
                                                 const std::vector<std::string>& volumes);

// Boxes whose bytes are damaged, by volume id.
using LostBoxes = std::map<std::string, std::vector<FrameBox>>;

// Its tasks that are DONE although not every box of what they wrote is recorded, or some are lost; in order.
absl::StatusOr<std::vector<int64_t>> TasksWithoutOutput(Store& store, const LiveJob& job, const LostBoxes& lost);

// Whether these tasks can be done again without anything else of the job: tiles that no other task starts from, and
// projections.
bool CanBeRedone(const LiveJob& job, const std::vector<int64_t>& tasks);

// Makes these tasks READY again, which watchers are told as a retry because of `why`; a finding of the job says that
// sums over its tiles count them twice. REQUIRES: CanBeRedone, and no box of what they wrote is recorded any more.
absl::Status RedoTasks(Store& store, const LiveJob& job, const std::vector<int64_t>& tasks, const absl::Status& why,
                       absl::Time now);

// Ends the job as FAILED because of `why`, and removes the records of its results.
absl::Status FailForGood(Store& store, const LiveJob& job, const absl::Status& why, absl::Time now);

}  // namespace deconvoy::server
