#include "server/observe/crash_hook.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "server/observe/environment.h"

namespace deconvoy::server {
namespace {

CrashHook& Hook() {
  static CrashHook hook;
  return hook;
}

}  // namespace

void CrashPoint(std::string_view name) {
  if (Hook()) Hook()(name);
}

void SetCrashHook(CrashHook hook) {
  Hook() = std::move(hook);
}

CrashHook KillAt(std::string_view request) {
  if (request.empty()) return nullptr;
  const size_t colon = request.find(':');
  int64_t wanted = 1;
  if (colon != std::string_view::npos) {
    std::from_chars(request.data() + colon + 1, request.data() + request.size(), wanted);
  }
  auto passes = std::make_shared<std::atomic<int64_t>>(0);
  return [name = std::string(request.substr(0, colon)), wanted, passes](std::string_view passed) {
    if (passed == name && passes->fetch_add(1) + 1 == wanted) kill(getpid(), SIGKILL);
  };
}

}  // namespace deconvoy::server
