#include "worker/calibration/iterations.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "proto/contract/status_macros.h"
#include "worker/calibration/held_out.h"
#include "worker/calibration/noise.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kLastOfEach = 8;
constexpr double kGridStep = 1.15;
constexpr int64_t kLeastTried = 8;
constexpr int64_t kPastLowest = 2;     // times its iterations
constexpr int64_t kFarPastLowest = 6;  // likewise
constexpr double kTurned = 0.05;       // of the fall
constexpr double kLeastModel = 1e-6;   // relative to the mean of y

// Scores the estimate at the iterations of the grid, and ends the run when the curve has turned.
class Scoring : public Monitor {
 public:
  Scoring(const HeldOut& held_out, bool likelihood, std::vector<int64_t> grid, Monitor& listener)
      : held_out_(held_out), likelihood_(likelihood), grid_(std::move(grid)), listener_(listener) {}

  absl::Status Begin() {
    ASSIGN_OR_RETURN(model_, held_out_.problem.ops->Allocate(held_out_.problem.measured->box()));
    return absl::OkStatus();
  }

  absl::Status Iterated(const Iteration& iteration) override {
    RETURN_IF_ERROR(listener_.Iterated(iteration));
    if (scores_.size() == grid_.size() || iteration.done != grid_[scores_.size()]) return absl::OkStatus();
    ASSIGN_OR_RETURN(const double score, Score(iteration.estimate));
    scores_.push_back(score);
    turned_ = HasTurned();
    return turned_ ? absl::CancelledError("the curve has turned") : absl::OkStatus();
  }

  bool turned() const { return turned_; }

  void Report(v1::Calibration& calibration) const {
    for (size_t i = 0; i < scores_.size(); ++i) {
      v1::CalibrationCandidate& candidate = *calibration.add_candidates();
      candidate.set_value(std::to_string(grid_[i]));
      candidate.set_score(scores_[i]);
    }
  }

 private:
  absl::StatusOr<double> Score(const Array& estimate) const {
    const Problem& problem = held_out_.problem;
    const Array* y = held_out_.photons != nullptr ? held_out_.photons.get() : problem.measured;
    const Array* mask = held_out_.judged != nullptr ? held_out_.judged.get() : problem.mask;
    double sum = 0;
    Epilogue epilogue;
    if (likelihood_) {
      const auto floor = static_cast<float>(std::max(kLeastModel * problem.mean, 1e-30));
      epilogue = GuardedRatio{.y = y,
                              .mask = mask,
                              .background = problem.background,
                              .floor = floor,
                              .output = model_.get(),
                              .i_divergence = &sum};
    } else {
      epilogue =
          Residual{.y = y, .mask = mask, .background = problem.background, .output = model_.get(), .squares = &sum};
    }
    RETURN_IF_ERROR(problem.ops->Convolve({problem.otf, /*adjoint=*/false, Identity{&estimate}, epilogue}));
    return held_out_.scale * sum;
  }

  bool HasTurned() const {
    const auto lowest = std::min_element(scores_.begin(), scores_.end());
    const int64_t here = grid_[scores_.size() - 1], best = grid_[static_cast<size_t>(lowest - scores_.begin())];
    if (here < kLeastTried || here < kPastLowest * best) return false;
    return here >= kFarPastLowest * best || scores_.back() - *lowest >= kTurned * (scores_.front() - *lowest);
  }

  const HeldOut& held_out_;
  const bool likelihood_;
  const std::vector<int64_t> grid_;
  Monitor& listener_;
  std::unique_ptr<Array> model_;
  std::vector<double> scores_;
  bool turned_ = false;
};

absl::StatusOr<Parameters> WithMostIterations(const Method& method, const Parameters& parameters) {
  std::map<std::string, std::string> texts(parameters.texts().begin(), parameters.texts().end());
  texts[std::string(kIterations)] = std::to_string(kMostCalibratedIterations);
  return ResolveParameters(method.description(), texts);
}

}  // namespace

std::vector<int64_t> TriedIterations(int64_t most) {
  std::vector<int64_t> tried;
  for (int64_t k = 1; k < most;) {
    tried.push_back(k);
    k = k < kLastOfEach ? k + 1 : std::llround(kGridStep * static_cast<double>(k));
  }
  tried.push_back(most);
  return tried;
}

absl::StatusOr<v1::Calibration> CalibrateIterations(const CalibrationSample& sample, const Method& method,
                                                    const Parameters& parameters, Monitor& listener) {
  const Problem& problem = sample.problem;
  ASSIGN_OR_RETURN(const Parameters most, WithMostIterations(method, parameters));
  ASSIGN_OR_RETURN(const std::optional<double> ratio,
                   VarianceOverMean(*problem.ops, *problem.otf, *problem.measured, {{}, sample.loaded}));
  const bool photons = IsPoisson(ratio);
  spdlog::info("variance over mean of the noise: {}", ratio ? fmt::format("{:.3g}", *ratio) : "not known");
  ASSIGN_OR_RETURN(const HeldOut held_out, photons ? HoldOutPhotons(problem, sample.loaded, *sample.measured)
                                                   : HoldOutVoxels(problem, sample.loaded));
  const bool likelihood = method.description().noise_model() == "Poisson";
  Scoring scoring(held_out, likelihood, TriedIterations(kMostCalibratedIterations), listener);
  RETURN_IF_ERROR(scoring.Begin());
  const auto run = method.Run(held_out.problem, most, scoring);
  if (!run.ok() && !scoring.turned()) return run.status();
  v1::Calibration calibration;
  calibration.set_parameter(std::string(kIterations));
  calibration.set_criterion(
      fmt::format("{} of {}", likelihood ? "likelihood" : "squared residual",
                  photons ? "held-out photons" : "held-out voxels, as the noise is not that of photons"));
  scoring.Report(calibration);
  return calibration;
}

}  // namespace deconvoy::worker
