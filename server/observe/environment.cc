#include "server/observe/environment.h"

#include <absl/time/clock.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
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

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

IdSource& RandomIds() {
  static RandomIdSource ids;
  return ids;
}

}  // namespace deconvoy::server
