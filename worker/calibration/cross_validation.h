// How strong a regularised inverse should be, by generalised cross validation.
//
// Of the filter  x^ = (y - b)^ conj h^ / (|h^|^2 + lambda P)  over n frequencies the score is
//
//   V = 1/n sum of |r (y - b)^|^2 / n  /  (1/n sum of r)^2,    r = lambda P / (|h^|^2 + lambda P)
//
// which estimates how well each voxel is predicted by all others, under white noise.
//
// G. H. Golub, M. Heath and G. Wahba, Technometrics 21 (1979) 215.
#pragma once

#include <absl/status/statusor.h>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/calibration/sample.h"

namespace deconvoy::worker {

// The scores of lambda from 1e-8 to 10, four in each decade. Memory: 4 bytes per voxel of the domain for y, and 10.
// REQUIRES: method.PenaltyOf is not empty, and what is measured covers the domain. Errors: those of Ops.
absl::StatusOr<v1::Calibration> CrossValidate(const CalibrationSample& sample, const Method& method);

}  // namespace deconvoy::worker
