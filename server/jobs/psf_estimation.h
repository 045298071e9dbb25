// Deconvolutions that estimate their PSFs: on which tiles, and what becomes of the estimates.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/job_plan.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {

// The number of the job's output that holds the estimated PSFs; -1 where it estimates none.
int PsfOutputOf(const v1::Job& job);

// A task for each channel, from number `first` on: on the tile in the middle of the time point in the middle. Empty
// where nothing is estimated.
std::vector<TaskRecord> PsfEstimationTasks(const LiveJob& job, const TilePlan& tiles, int64_t first);

// Errors: INVALID_FIELD for an estimate of another channel than the task's, in another box than the given PSF's, or
// with a sum, a spread or an objective that is not a number.
absl::Status CheckPsfEstimate(const LiveJob& job, int64_t number, const v1::PsfEstimate& estimate);

}  // namespace deconvoy::server
