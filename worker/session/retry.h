// Trying a call to the server again, as long as that may help.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <functional>
#include <string_view>

#include "worker/session/backoff.h"
#include "worker/session/stop_signal.h"

namespace deconvoy::worker {

// Calls `attempt` until it succeeds or fails for good. A server that is away (UNAVAILABLE) is tried for ever, with
// `backoff` between two attempts; damage on the way (DATA_LOSS) three times. A call that was broken off (CANCELLED,
// UNKNOWN), as by a server that goes away in the middle of it, is tried ten times in a row, counted anew after each
// UNAVAILABLE; then the error is INTERNAL and names the last one. CANCELLED once `stop` has stopped.
absl::Status Retry(StopSignal& stop, std::string_view what, const std::function<absl::Status()>& attempt,
                   Backoff backoff = {std::chrono::milliseconds(100), std::chrono::milliseconds(3000)});

}  // namespace deconvoy::worker
