// Places where tests make the worker die. The program that is delivered passes them without effect.
//
// Names: worker-task-started, worker-mid-iterations, worker-mid-file, worker-before-delivery, worker-after-delivery,
// worker-three-tasks (a task waits, one is computed and one delivered).
#pragma once

#include <string_view>

namespace deconvoy::worker {

// Does nothing, unless KillAt has named this point. Thread safe.
void CrashPoint(std::string_view name);

// From now on the process ends at once, as `kill -9` would, at the point `name` of "name", or the n-th time that it is
// passed of "name:n", from 1. For tests. REQUIRES: no other thread passes a crash point meanwhile.
void KillAt(std::string_view request);

}  // namespace deconvoy::worker
