// What a deconvolution needs all of its input for, so that it cannot be computed while that is still being written.
#pragma once

#include <absl/status/status.h>

#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::server {

// Planes of the first time point that tell what is told of an input that is still being written, where the job does not
// say how many.
inline constexpr uint32_t kFirstPlanes = 8;

// An error NOT_STREAMABLE for each such thing, with what to do instead; none where first planes are enough. REQUIRES:
// `spec` comes from ResolveSpec.
std::vector<absl::Status> NeedsOfWholeInput(const v1::DeconvolveSpec& spec, const v1::Method& method);

}  // namespace deconvoy::server
