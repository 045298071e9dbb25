// What follows from a task's end: its result, or its failure.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/input_tasks.h"
#include "server/store/store.h"

namespace deconvoy::server {

class Capabilities;

// When a task is tried again.
struct RetryRules {
  int32_t failure_cap = 4;                          // errors reported and crashes by signal after which the job fails
  int32_t loss_cap = 1000;                          // lost leases after which the job fails
  absl::Duration first_backoff = absl::Seconds(1);  // after the first of a kind; doubled with every further one
  absl::Duration longest_backoff = absl::Minutes(1);
  absl::Duration input_pause = absl::Seconds(1);  // until a job that could not be told of its input is told again
};

// The pause after the n-th in a row, n from 1.
absl::Duration BackoffAfter(int32_t n, const RetryRules& rules);

// Why a task did not succeed.
struct TaskFailure {
  absl::Status error;
  bool unbegun = false;     // the task was not begun: counts for nothing, and it is ready at once
  bool lost_lease = false;  // nothing is known against the task: counts as a loss, not as a failure
  bool crash = false;       // a signal ended its worker: the first time may be chance, and the task is ready at once
  bool reported = false;    // by its worker, which may get the task again: a loss backs off, too
  bool retry = true;        // false: no retry can cure it, the job fails at once
  std::string log_excerpt = {};
};

// What has been decided on the volume of an import.
struct ImportDecision {
  absl::Status error = {};                // the job fails with it
  std::string equal = {};                 // id of a complete volume that is the same; else empty
  std::optional<VolumeRecord> made = {};  // the new volume, whose file is there
};

// Makes the leased task DONE and plans what follows: its boxes committed with the given CRCs, one for each of its
// output pieces; after an analysis the estimates of PSFs, or else the calibrations, or else the tile tasks, or the
// job's failure when no plan is possible; after the last estimate the calibrations or else the tile tasks; after the
// last calibration what was chosen, and the tile tasks; after a frame those that wait for it; after the last task, and
// once its input is complete, the job's end, which is a failure where CheckResult (result_check.h) says so.
// INVALID_FIELD when the result is not one of this task. `import` is what was decided on the volume of an import whose
// file has been looked at.
absl::Status TakeResult(JobStep& step, int64_t number, const v1::TaskResult& result,
                        const std::vector<uint32_t>& box_crc32c, const Capabilities& capabilities,
                        const ImportDecision& import = {});

// Takes note that more of a job's input is there, of these frames: BLOCKED tasks become READY; a job of which all is
// computed ends with its input's completion. Changes nothing where nothing follows.
absl::Status TakeInput(JobStep& step, const Frames& frames);

// Returns the leased task to the queue, or fails it and with it the job. DISK_FULL is no fault of the task or its
// worker: it counts for nothing, is tried again for ever with growing pauses, and the watchers are told only of the
// first in a row (see LiveJob::room_waits), since kept events would fill the disk further.
absl::Status TakeFailure(JobStep& step, int64_t number, const TaskFailure& failure, const RetryRules& rules);

// What a DISK_FULL error says is lacking, for people: `room in the spool: 10 bytes needed, 3 free`; of an export,
// where.
std::string LackOfRoom(const absl::Status& error);

}  // namespace deconvoy::server
