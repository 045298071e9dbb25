// Places where tests make the worker die.
//
// Names: worker-task-started, worker-mid-iterations, worker-before-delivery, worker-after-delivery, worker-three-tasks
// (a task waits, one is computed and one delivered).
#pragma once

#include <string_view>

namespace deconvoy::worker {

// Ends the process at once, as `kill -9` would, when `$DECONVOY_WORKER_CRASH_POINT` is `name` or `name:n` (the n-th
// time it is passed, from 1). Thread safe.
void CrashPoint(std::string_view name);

}  // namespace deconvoy::worker
