// What all measurements share: the clock, medians, the memory of this process, and values or their errors.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace deconvoy::bench {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start);

// The upper median; 0 for no values.
double Median(std::vector<double> values);

int64_t ResidentBytes();   // of this process
int64_t AvailableBytes();  // that the machine could still give without swapping

// The value, or std::runtime_error saying why there is none.
template <typename T>
T Value(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return *std::move(result);
}
void Check(const absl::Status& status);

// Seconds of each of `repeats` calls, after one that is not counted.
template <typename Function>
std::vector<double> TimeEach(int repeats, Function call) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const auto start = Clock::now();
    call();
    if (i > 0) seconds.push_back(SecondsSince(start));
  }
  return seconds;
}

}  // namespace deconvoy::bench
