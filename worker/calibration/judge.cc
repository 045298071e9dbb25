#include "worker/calibration/judge.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

#include "proto/contract/status_macros.h"
#include "worker/calibration/noise.h"

namespace deconvoy::worker {
namespace {

constexpr double kLeastModel = 1e-6;  // relative to the mean of y

}  // namespace

absl::StatusOr<Judge> Judge::Of(const CalibrationSample& sample, const Method& method) {
  const Problem& problem = sample.problem;
  ASSIGN_OR_RETURN(const std::optional<double> ratio,
                   VarianceOverMean(*problem.ops, *problem.otf, *problem.measured, problem.mask, {{}, sample.loaded}));
  const bool photons = IsPoisson(ratio);
  spdlog::info("variance over mean of the noise: {}", ratio ? fmt::format("{:.3g}", *ratio) : "not known");
  ASSIGN_OR_RETURN(HeldOut held_out, photons ? HoldOutPhotons(problem, sample.loaded, *sample.measured)
                                             : HoldOutVoxels(problem, sample.loaded));
  ASSIGN_OR_RETURN(auto model, problem.ops->Allocate(problem.measured->box()));
  return Judge(std::move(held_out), std::move(model), method.description().noise_model() == "Poisson", photons);
}

absl::StatusOr<double> Judge::Score(const Array& estimate) const {
  const Array* y = held_out_.photons != nullptr ? held_out_.photons.get() : problem().measured;
  const Array* mask = held_out_.judged != nullptr ? held_out_.judged.get() : problem().mask;
  double sum = 0;
  Epilogue epilogue;
  if (likelihood_) {
    const auto floor = static_cast<float>(std::max(kLeastModel * problem().mean, 1e-30));
    epilogue = GuardedRatio{.y = y,
                            .mask = mask,
                            .background = problem().background,
                            .floor = floor,
                            .output = model_.get(),
                            .i_divergence = &sum};
  } else {
    epilogue =
        Residual{.y = y, .mask = mask, .background = problem().background, .output = model_.get(), .squares = &sum};
  }
  RETURN_IF_ERROR(problem().ops->Convolve({problem().otf, /*adjoint=*/false, Identity{&estimate}, epilogue}));
  return held_out_.scale * sum;
}

std::string Judge::criterion() const {
  return fmt::format("{} of {}", likelihood_ ? "likelihood" : "squared residual",
                     photons_ ? "held-out photons" : "held-out voxels, as the noise is not that of photons");
}

}  // namespace deconvoy::worker
