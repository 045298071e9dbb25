// What a recording's session was opened with, kept on this machine so that it can be taken up again.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>

#include "deconvoy/v1/deconvolution.pb.h"

namespace deconvoy::client {

// One file per session in $XDG_STATE_HOME/deconvoy/sessions, or ~/.local/state/deconvoy/sessions, that appears whole.
absl::Status KeepSession(const v1::DeconvolveHeader& header);

// NOT_FOUND where this machine has begun no session of that name, or it has ended.
absl::StatusOr<v1::DeconvolveHeader> FindSession(const std::string& session);

// It needs nothing more; what cannot be removed stays.
void ForgetSession(const std::string& session);

}  // namespace deconvoy::client
