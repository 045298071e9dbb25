#include "server/observe/environment.h"

#include <absl/time/clock.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <system_error>

namespace deconvoy::server {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Wall() const override { return absl::Now(); }
  std::chrono::steady_clock::time_point Steady() const override { return std::chrono::steady_clock::now(); }
};

class RandomIdSource final : public IdSource {
 public:
  std::string Next() override {
    std::string id;
    while (id.size() < kLength) AppendLetters(id);
    return id;
  }

 private:
  static constexpr size_t kLength = 26;
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

  // Bytes of 252 and above are passed over: 252 is the largest multiple of 36, so every letter is equally likely.
  static void AppendLetters(std::string& id) {
    std::array<uint8_t, 32> random;
    ssize_t got = getrandom(random.data(), random.size(), 0);
    if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
    for (ssize_t i = 0; i < got && id.size() < kLength; ++i) {
      const uint8_t byte = random[static_cast<size_t>(i)];
      if (byte < 252) id.push_back(kAlphabet[byte % kAlphabet.size()]);
    }
  }
};

// What `$DECONVOY_CRASH_POINT` asks for.
struct CrashRequest {
  std::string name;
  int64_t pass = 1;
};

CrashRequest ParseCrashRequest() {
  const char* text = std::getenv("DECONVOY_CRASH_POINT");
  if (text == nullptr) return {};
  const std::string_view all = text;
  const size_t colon = all.find(':');
  CrashRequest request{std::string(all.substr(0, colon)), 1};
  if (colon != std::string_view::npos) {
    std::from_chars(all.data() + colon + 1, all.data() + all.size(), request.pass);
  }
  return request;
}

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

IdSource& RandomIds() {
  static RandomIdSource ids;
  return ids;
}

void CrashPoint(std::string_view name) {
  const CrashRequest request = ParseCrashRequest();
  static std::atomic<int64_t> passes = 0;
  if (request.name.empty() || request.name != name) return;
  if (passes.fetch_add(1) + 1 == request.pass) kill(getpid(), SIGKILL);
}

}  // namespace deconvoy::server
