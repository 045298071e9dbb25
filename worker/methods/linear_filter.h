// What the methods that invert the blur in one step have in common.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Boundaries, noise model, transforms and memory of a filter: per padded voxel OTF 4, that of the filter 4, the result
// 4, the spectrum 4 and their gaps 0.3; `host_bytes` more while the filter is made.
void DescribeFilter(v1::Method& method, double host_bytes);

// The filter on y - b, on the whole domain. It is one iteration to the monitor.
absl::StatusOr<std::unique_ptr<Array>> ApplyFilter(const Problem& problem, const SpectralFilter& filter,
                                                   Monitor& monitor);

}  // namespace deconvoy::worker
