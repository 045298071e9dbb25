// The life of jobs and tasks: which state may follow which.
//
//   job:   PENDING -> RUNNING -> SUCCEEDED | FAILED | CANCELLED, with PAUSED beside the first two: what runs then goes
//   on, and
//          may end the job
//   task:  BLOCKED -> READY -> LEASED -> DONE, LEASED -> READY when a lease ends without a result, LEASED -> FAILED,
//   and
//          CANCELLED from every state that is not an end
#pragma once

#include <absl/status/status.h>

#include "deconvoy/v1/jobs.pb.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Moves to the new state; INTERNAL, without a move, when the table does not allow it. Staying is no move.
absl::Status Move(v1::JobState& state, v1::JobState to);
absl::Status Move(TaskState& state, TaskState to);

bool IsEnd(v1::JobState state);
bool IsEnd(TaskState state);

}  // namespace deconvoy::server
