// A clock that moves only when told and ids that can be foreseen.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "server/observe/environment.h"

namespace deconvoy::testing {

// Both times move together, unless the wall clock is set. Thread safe.
class FakeClock final : public server::Clock {
 public:
  absl::Time Wall() const override {
    std::lock_guard lock(mutex_);
    return absl::FromUnixSeconds(1'700'000'000) + absl::FromChrono(passed_ + set_by_);
  }
  std::chrono::steady_clock::time_point Steady() const override {
    std::lock_guard lock(mutex_);
    return std::chrono::steady_clock::time_point(std::chrono::hours(1)) + passed_;
  }
  void Advance(std::chrono::nanoseconds by) {
    std::lock_guard lock(mutex_);
    passed_ += by;
  }
  // Sets the wall clock forward, or back.
  void SetWall(std::chrono::nanoseconds by) {
    std::lock_guard lock(mutex_);
    set_by_ += by;
  }

 private:
  mutable std::mutex mutex_;
  std::chrono::nanoseconds passed_{0}, set_by_{0};
};

// `aaaa...0001`, `aaaa...0002` and so on, with a letter of choice. Thread safe.
class CountingIds final : public server::IdSource {
 public:
  explicit CountingIds(char letter = 'a') : letter_(letter) {}
  std::string Next() override {
    std::lock_guard lock(mutex_);
    const std::string number = fmt::to_string(++count_);
    return std::string(26 - number.size(), letter_) + number;
  }

 private:
  const char letter_;
  std::mutex mutex_;
  uint64_t count_ = 0;
};

}  // namespace deconvoy::testing
