#include "worker/session/retry.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"

namespace deconvoy::worker {
namespace {

constexpr int kDamagedAttempts = 3;
constexpr int kBrokenOffAttempts = 10;

bool IsBrokenOff(const absl::Status& status) {
  return absl::IsCancelled(status) || absl::IsUnknown(status);
}

// INTERNAL, so that it counts as a failed attempt of the task: a task that ends CANCELLED has only been given back.
absl::Status GivenUp(const absl::Status& last) {
  return absl::InternalError(
      fmt::format("the call was broken off {} times in a row; the last error: {}", kBrokenOffAttempts, LogText(last)));
}

}  // namespace

absl::Status Retry(StopSignal& stop, std::string_view what, const std::function<absl::Status()>& attempt,
                   Backoff backoff) {
  for (int damaged = 0, broken_off = 0;;) {
    const absl::Status status = attempt();
    if (status.ok()) return status;
    if (stop.stopped()) break;
    if (absl::IsDataLoss(status)) {
      if (++damaged == kDamagedAttempts) return status;
    } else if (IsBrokenOff(status)) {
      if (++broken_off == kBrokenOffAttempts) return GivenUp(status);
    } else if (IsRetryable(status)) {
      broken_off = 0;
    } else {
      return status;
    }
    spdlog::warn("{}: {}; trying again", what, LogText(status));
    if (stop.WaitFor(backoff.Next())) break;
  }
  return absl::CancelledError("the task was cancelled");
}

}  // namespace deconvoy::worker
