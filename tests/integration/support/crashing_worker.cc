// Makes of the worker's own main the program `deconvoy-worker-crashing`: before it begins, it reads from
// `$DECONVOY_WORKER_CRASH_POINT` where it is to die.
#include <cstdlib>

#include "worker/executor/crash_point.h"

namespace {

[[maybe_unused]] const bool kArmed = [] {
  const char* request = std::getenv("DECONVOY_WORKER_CRASH_POINT");
  if (request != nullptr) deconvoy::worker::KillAt(request);
  return request != nullptr;
}();

}  // namespace
