// Makes of the server's own main the program `deconvoyd-crashing`: before it begins, it reads from
// `$DECONVOY_CRASH_POINT` where it is to die.
#include <cstdlib>

#include "server/observe/crash_hook.h"

namespace {

[[maybe_unused]] const bool kArmed = [] {
  const char* request = std::getenv("DECONVOY_CRASH_POINT");
  if (request != nullptr) deconvoy::server::SetCrashHook(deconvoy::server::KillAt(request));
  return request != nullptr;
}();

}  // namespace
