// Trying a call to the server again, as long as that may help.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string_view>

#include "worker/session/stop_signal.h"

namespace deconvoy::worker {

// Calls `attempt` until it succeeds or fails for good. A server that is away (UNAVAILABLE, or a call that it broke off:
// CANCELLED, UNKNOWN) is tried for ever, with backoff; damage on the way (DATA_LOSS) three times. CANCELLED once `stop`
// has stopped.
absl::Status Retry(StopSignal& stop, std::string_view what, const std::function<absl::Status()>& attempt);

}  // namespace deconvoy::worker
