#include "worker/executor/crash_point.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

namespace deconvoy::worker {
namespace {

struct Chosen {
  std::string name;
  int passes = 1;
};

Chosen Choose() {
  const char* value = std::getenv("DECONVOY_WORKER_CRASH_POINT");
  if (value == nullptr) return {};
  Chosen chosen{value};
  const size_t colon = chosen.name.find(':');
  if (colon == std::string::npos) return chosen;
  std::from_chars(chosen.name.data() + colon + 1, chosen.name.data() + chosen.name.size(), chosen.passes);
  chosen.name.resize(colon);
  return chosen;
}

}  // namespace

void CrashPoint(std::string_view name) {
  static const Chosen chosen = Choose();
  static std::atomic<int> passed{0};
  if (chosen.name.empty() || chosen.name != name) return;
  if (passed.fetch_add(1) + 1 == chosen.passes) std::raise(SIGKILL);
}

}  // namespace deconvoy::worker
