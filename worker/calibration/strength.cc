#include "worker/calibration/strength.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "proto/contract/status_macros.h"
#include "worker/calibration/iterations.h"

namespace deconvoy::worker {
namespace {

constexpr std::array<const char*, 8> kTried = {"0.05", "0.02", "0.01", "0.005", "0.002", "0.001", "0.0005", "0.0002"};
constexpr int64_t kMostIterations = 50;  // where their number is automatic
constexpr size_t kPastLowest = 2;

// Tells the iterations of run number `run` as some of all.
class RunMonitor final : public Monitor {
 public:
  RunMonitor(Monitor& listener, size_t run) : listener_(listener), run_(static_cast<int64_t>(run)) {}
  absl::Status Iterated(const Iteration& iteration) override {
    return listener_.Iterated({.done = run_ * iteration.total + iteration.done,
                               .total = static_cast<int64_t>(kTried.size()) * iteration.total,
                               .estimate = iteration.estimate});
  }
  bool hears_curve() const override { return false; }

 private:
  Monitor& listener_;
  const int64_t run_;
};

absl::StatusOr<Parameters> WithLambda(const Method& method, const Parameters& parameters, const std::string& lambda) {
  std::map<std::string, std::string> texts(parameters.texts().begin(), parameters.texts().end());
  texts[std::string(kLambda)] = lambda;
  return ResolveParameters(method.description(), texts);
}

const v1::CalibrationCandidate& Lowest(const v1::Calibration& scores) {
  return *std::min_element(scores.candidates().begin(), scores.candidates().end(),
                           [](const auto& a, const auto& b) { return a.score() < b.score(); });
}

absl::StatusOr<double> ScoreOf(const Judge& judge, const Method& method, const Parameters& parameters,
                               Monitor& monitor) {
  if (parameters.IsAuto(kIterations)) {
    ASSIGN_OR_RETURN(const v1::Calibration curve,
                     CalibrateIterations(judge, method, parameters, monitor, kMostIterations));
    return Lowest(curve).score();
  }
  ASSIGN_OR_RETURN(const auto estimate, method.Run(judge.problem(), parameters, monitor));
  return judge.Score(*estimate);
}

}  // namespace

absl::StatusOr<v1::Calibration> CalibrateStrength(const Judge& judge, const Method& method,
                                                  const Parameters& parameters, Monitor& listener) {
  v1::Calibration calibration;
  calibration.set_parameter(std::string(kLambda));
  calibration.set_criterion(judge.criterion());
  size_t lowest = 0;
  for (size_t run = 0; run < kTried.size() && run <= lowest + kPastLowest; ++run) {
    ASSIGN_OR_RETURN(const Parameters tried, WithLambda(method, parameters, kTried[run]));
    RunMonitor monitor(listener, run);
    ASSIGN_OR_RETURN(const double score, ScoreOf(judge, method, tried, monitor));
    v1::CalibrationCandidate& candidate = *calibration.add_candidates();
    candidate.set_value(kTried[run]);
    candidate.set_score(score);
    if (score < calibration.candidates(static_cast<int>(lowest)).score()) lowest = run;
  }
  return calibration;
}

absl::StatusOr<Parameters> WithStrength(const Method& method, const Parameters& parameters,
                                        const v1::Calibration& scores) {
  return WithLambda(method, parameters, Lowest(scores).value());
}

}  // namespace deconvoy::worker
