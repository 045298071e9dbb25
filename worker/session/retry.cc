#include "worker/session/retry.h"

#include <spdlog/spdlog.h>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "worker/session/backoff.h"

namespace deconvoy::worker {
namespace {

// A server that goes away in the middle of a call ends it with one of these.
bool MeansAway(const absl::Status& status) {
  return IsRetryable(status) || absl::IsCancelled(status) || absl::IsUnknown(status);
}

}  // namespace

absl::Status Retry(StopSignal& stop, std::string_view what, const std::function<absl::Status()>& attempt) {
  constexpr int kDamagedAttempts = 3;
  Backoff backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(3000));
  for (int damaged = 0;;) {
    const absl::Status status = attempt();
    if (status.ok()) return status;
    if (stop.stopped()) break;
    if (absl::IsDataLoss(status) && ++damaged == kDamagedAttempts) return status;
    if (!absl::IsDataLoss(status) && !MeansAway(status)) return status;
    spdlog::warn("{}: {}; trying again", what, LogText(status));
    if (stop.WaitFor(backoff.Next())) break;
  }
  return absl::CancelledError("the task was cancelled");
}

}  // namespace deconvoy::worker
