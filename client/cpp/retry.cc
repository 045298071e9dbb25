#include "client/cpp/retry.h"

#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

// A call that came too soon after others was refused before it did anything.
bool MayTryAgain(const absl::Status& error) {
  return IsRetryable(error) || ReasonOf(error) == v1::TOO_MANY_CALLS;
}

double RandomFraction() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

}  // namespace

void Sleep(absl::Duration duration, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, absl::ToChronoNanoseconds(duration), [] { return false; });
}

std::optional<absl::Duration> WaitBeforeRetry(const RetryPolicy& policy, int retry, absl::Duration elapsed,
                                              double random) {
  const absl::Duration ceiling =
      std::min(policy.longest, policy.initial * std::pow(policy.factor, std::min(retry, 60)));
  const absl::Duration wait = ceiling * (0.5 + 0.5 * random);
  if (elapsed + wait > policy.total) return std::nullopt;
  return wait;
}

bool IsLack(const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  return reason == v1::DISK_FULL || reason == v1::TOO_MANY_STREAMS || reason == v1::TOO_MANY_CALLS;
}

absl::Status AsUnavailable(const absl::Status& status) {
  return FromWire(static_cast<int>(absl::StatusCode::kUnavailable), std::string(status.message()),
                  SerializedInfo(status));
}

Retrier::Retrier(const RetryPolicy& policy, std::stop_token stop, OutageObserver observer, Wait wait)
    : policy_(policy), stop_(std::move(stop)), observer_(std::move(observer)), wait_(std::move(wait)) {}

absl::Status Retrier::Pause(const absl::Status& error) {
  if (stop_.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
  if (!MayTryAgain(error)) {
    Reset();  // it is an answer
    return error;
  }
  if (retries_ == 0) first_failure_ = absl::Now();
  const absl::Duration elapsed = absl::Now() - first_failure_;
  const auto wait = WaitBeforeRetry(policy_, retries_, elapsed, RandomFraction());
  if (!wait) return error;
  ++retries_;
  if (observer_) observer_({.error = error, .tries_for = policy_.total - elapsed});
  wait_(*wait, stop_);
  if (stop_.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
  return absl::OkStatus();
}

void Retrier::Reset() {
  if (retries_ > 0 && observer_) observer_({.over = true});
  retries_ = 0;
}

}  // namespace deconvoy::client
