// How many iterations are enough: tried on a part of the data, judged by the rest.
//
// With more iterations an estimate first explains the specimen better, then fits the noise. What was held out
// (held_out.h) has noise of its own, and is explained worse from there on. The score of x after k iterations is
//
//   likelihood         sum of (v + b) - y + y ln(y / (v + b)),  v = H x, over what is held out: the lower the likelier
//   squared residual   sum of (y - b - v)^2
//
// Photons are held out where the counts are Poisson (noise.h), else voxels. The squared residual judges methods for
// Gaussian noise, whose estimates have values below 0 that have no likelihood; the likelihood all others.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/calibration/sample.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

// The numbers of iterations that are tried, rising: each to 8, then steps of about 15 %, up to `most`.
std::vector<int64_t> TriedIterations(int64_t most);

// The curve of the sample, up to 200 iterations or until it has clearly turned: 5 % of its fall above the lowest score,
// at twice as many iterations, or six times as many. `parameters` are those of the method with `iterations` automatic.
// Every iteration is told to `listener`. Errors: those of the method, Ops and the listener.
absl::StatusOr<v1::Calibration> CalibrateIterations(const CalibrationSample& sample, const Method& method,
                                                    const Parameters& parameters, Monitor& listener);

}  // namespace deconvoy::worker
