// How strong a regularised inverse should be, by the error of the prediction or by generalised cross validation.
//
// Of the filter  x^ = (y - b)^ conj h^ / (|h^|^2 + lambda P)  over n frequencies the score is
//
//   V = 1/n sum of |r F|^2  /  (1 - 2/n sum of (1 - r))^2,    r = lambda P / (|h^|^2 + lambda P)
//
// with F the transform of the image under a window (spectrum.h), so that neither the image's border nor what repeats it
// in a margin counts. With a factor of 1 in place of 2 it would estimate how well each voxel is predicted by all
// others, under white noise; the sharpest result needs a stronger filter than the best prediction. Where the
// denominator's root is not above 1e-3 it is 1e-3.
//
// Where P is the same everywhere V is too weak at few photons, and the noise's power s (spectrum.h; that of photons
// where no frequency is beyond the cutoff) is used instead:
//
//   U = 1/n sum of |r F|^2 + 8 s / n sum of (1 - r)
//
// With 2 in place of 8 it would estimate the error of the prediction.
//
// G. H. Golub, M. Heath and G. Wahba, Technometrics 21 (1979) 215; a factor above 1: Y.-J. Kim and C. Gu, J. R. Stat.
// Soc. B 66 (2004) 337. U: C. L. Mallows, Technometrics 15 (1973) 661.
#pragma once

#include <absl/status/statusor.h>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/calibration/sample.h"

namespace deconvoy::worker {

// The scores of lambda from 1e-8 to 10, four in each decade. Memory: 4 bytes per measured voxel, and 10 per voxel of
// the domain. REQUIRES: method.PenaltyOf is not empty. Errors: those of Ops.
absl::StatusOr<v1::Calibration> CrossValidate(const CalibrationSample& sample, const Method& method);

}  // namespace deconvoy::worker
