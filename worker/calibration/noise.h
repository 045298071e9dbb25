// Whether an image's noise is that of photon counts.
#pragma once

#include <absl/status/statusor.h>

#include <optional>

#include "worker/ops/backend.h"

namespace deconvoy::worker {

// The variance of the noise of `y` over its mean, from where the microscope passes nothing (spectrum.h); nothing where
// there is no light or no such frequency. `box` of y is looked at, without voxels where `mask` is 0, unless that is
// null: parts that repeat others would count twice, and what was not measured has no noise. Memory: 8 bytes per voxel
// of the box, 10 per voxel of the domain. REQUIRES: box inside the boxes of y and mask.
absl::StatusOr<std::optional<double>> VarianceOverMean(Ops& ops, const Otf& otf, const Array& y, const Array* mask,
                                                       const Box3& box);

// Whether such a ratio is that of photon counts: 0.8 to 1.25.
bool IsPoisson(std::optional<double> variance_over_mean);

}  // namespace deconvoy::worker
