// How strong the regularisation of an iterative method should be: tried on a part of the data, judged by the rest
// (judge.h).
//
// Too weak, an estimate fits the noise of what it was made from; too strong, it does not fit the specimen. Either way
// it explains worse what was held out.
#pragma once

#include <absl/status/statusor.h>

#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/calibration/judge.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

inline constexpr std::string_view kLambda = "lambda";

// The scores of `lambda` from 0.05 down to 0.0002, three in each decade, until two in a row are above the lowest one:
// after the iterations that `parameters` give, or where these are automatic the lowest over up to 50. Every iteration
// is told to `listener` as one of all that may be needed. Errors: those of the method, Ops and the listener.
absl::StatusOr<v1::Calibration> CalibrateStrength(const Judge& judge, const Method& method,
                                                  const Parameters& parameters, Monitor& listener);

// `parameters` with the `lambda` of the lowest score.
absl::StatusOr<Parameters> WithStrength(const Method& method, const Parameters& parameters,
                                        const v1::Calibration& scores);

}  // namespace deconvoy::worker
