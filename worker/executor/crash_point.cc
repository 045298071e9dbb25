#include "worker/executor/crash_point.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <string>

namespace deconvoy::worker {
namespace {

struct Chosen {
  std::string name;
  int wanted = 1;
  std::atomic<int> passes = 0;
};

Chosen& TheChosen() {
  static Chosen chosen;
  return chosen;
}

}  // namespace

void KillAt(std::string_view request) {
  Chosen& chosen = TheChosen();
  const size_t colon = request.find(':');
  chosen.name = request.substr(0, colon);
  if (colon != std::string_view::npos) {
    std::from_chars(request.data() + colon + 1, request.data() + request.size(), chosen.wanted);
  }
}

void CrashPoint(std::string_view name) {
  Chosen& chosen = TheChosen();
  if (chosen.name.empty() || chosen.name != name) return;
  if (chosen.passes.fetch_add(1) + 1 == chosen.wanted) std::raise(SIGKILL);
}

}  // namespace deconvoy::worker
