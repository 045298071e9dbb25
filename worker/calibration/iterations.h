// How many iterations are enough: tried on a part of the data, judged by the rest (judge.h).
//
// With more iterations an estimate first explains the specimen better, then fits the noise, and what was held out is
// explained worse from there on.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/calibration/judge.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

// The numbers of iterations that are tried, rising: each to 8, then steps of about 15 %, up to `most`.
std::vector<int64_t> TriedIterations(int64_t most);

// The curve up to `most` iterations; until it has clearly turned: 5 % of its fall above the lowest score, at twice as
// many iterations, or six times as many; or until the estimate has settled: it changes by less than a thousandth of
// itself (root of the sum of squares) per iteration. Memory: 4 bytes per voxel of the estimate. `parameters` are those
// of the method with `iterations` automatic. Every iteration is told to `listener`. Errors: those of the method, Ops
// and the listener.
absl::StatusOr<v1::Calibration> CalibrateIterations(const Judge& judge, const Method& method,
                                                    const Parameters& parameters, Monitor& listener,
                                                    int64_t most = kMostCalibratedIterations);

}  // namespace deconvoy::worker
