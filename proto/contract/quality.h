// What the sums of QualityStatistics come to.
#pragma once

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy {

// Correlation coefficients of the normalised residual with its neighbour along each axis, -1 to 1; 0 where there are no
// pairs, or nothing varies.
struct Correlation {
  double x = 0, y = 0, z = 0;
};

// REQUIRES: quality.voxels() > 0.
Correlation CorrelationOf(const v1::QualityStatistics& quality);

}  // namespace deconvoy
