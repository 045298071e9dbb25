// When and how long to wait before a call is tried again.
#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <functional>
#include <optional>
#include <stop_token>

namespace deconvoy::client {

// Waits grow from `initial` by `factor` up to `longest`; each is drawn from the upper half of that value, so that
// clients that lost the same server do not come back together. After `total` without progress the error stands.
struct RetryPolicy {
  absl::Duration initial = absl::Milliseconds(100);
  absl::Duration longest = absl::Seconds(5);
  double factor = 2.0;
  absl::Duration total = absl::Minutes(2);
};

// The wait before attempt `retry` (0 for the first repetition), `elapsed` after the first failure; nothing when the
// policy's time is over. `random` is in [0, 1).
std::optional<absl::Duration> WaitBeforeRetry(const RetryPolicy& policy, int retry, absl::Duration elapsed,
                                              double random);

// Waits; returns early once `stop` is requested, and may when there is no reason to wait any longer.
using Wait = std::function<void(absl::Duration duration, const std::stop_token& stop)>;
void Sleep(absl::Duration duration, const std::stop_token& stop);

// Whether the server lacks something that it may have in a while: room, or places for calls.
bool IsLack(const absl::Status& status);
// The same as an error at which calls are tried again.
absl::Status AsUnavailable(const absl::Status& status);

// A call has to wait for its server, or has waited long enough.
struct Outage {
  bool over = false;              // the server answers again
  absl::Status error = {};        // why the last attempt failed; OK when it is over
  absl::Duration tries_for = {};  // for how much longer the call is tried; zero when it is over
};

// Hears of an outage before every pause of the call, and once when it is over. A call that gives up returns its error
// instead.
using OutageObserver = std::function<void(const Outage&)>;

// Follows one call through its repetitions. One thread at a time.
class Retrier {
 public:
  Retrier(const RetryPolicy& policy, std::stop_token stop, OutageObserver observer = {}, Wait wait = Sleep);

  // Waits and returns OK when trying again makes sense; else the error to return: `error` itself when it is neither
  // UNAVAILABLE nor TOO_MANY_CALLS or the time is over, CANCELLED when stop was requested.
  absl::Status Pause(const absl::Status& error);

  // Something went well: waits and the total time start anew.
  void Reset();

 private:
  const RetryPolicy policy_;
  const std::stop_token stop_;
  const OutageObserver observer_;
  const Wait wait_;
  int retries_ = 0;
  absl::Time first_failure_ = absl::InfinitePast();
};

}  // namespace deconvoy::client
