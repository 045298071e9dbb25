#include "worker/calibration/cross_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/calibration/spectrum.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

constexpr int kFirstDecade = -8, kLastDecade = 1, kPerDecade = 4;
constexpr double kFactor = 2;
constexpr double kLeastRoot = 1e-3;

// What V is made of, at each frequency of the half spectrum.
struct Spectra {
  Shape3 domain;
  std::vector<float> light;    // |F|
  std::vector<float> passed;   // |h^|
  std::vector<float> penalty;  // P
};

double Score(const Spectra& s, double lambda) {
  double residual = 0, fitted = 0;
  size_t i = 0;
  for (int64_t line = 0; line < s.domain.z * s.domain.y; ++line) {
    double squares = 0, sum = 0;
    for (int64_t x = 0; x <= s.domain.x / 2; ++x, ++i) {
      const double twice = x == 0 || 2 * x == s.domain.x ? 1 : 2;  // it stands for its negative, too
      const double kept = lambda * s.penalty[i];
      const double all = static_cast<double>(s.passed[i]) * s.passed[i] + kept;
      const double r = all > 0 ? kept / all : 0;
      squares += twice * (r * s.light[i]) * (r * s.light[i]);
      sum += twice * (1 - r);
    }
    residual += squares;
    fitted += sum;
  }
  const auto n = static_cast<double>(s.domain.voxels());
  const double root = std::max(1 - kFactor * fitted / n, kLeastRoot);
  return residual / n / (root * root);
}

}  // namespace

absl::StatusOr<v1::Calibration> CrossValidate(const CalibrationSample& sample, const Method& method) {
  Spectra spectra{.domain = sample.problem.ops->domain(), .light = {}, .passed = {}, .penalty = {}};
  ASSIGN_OR_RETURN(WindowedSpectrum image,
                   SpectrumUnderWindow(*sample.problem.ops, *sample.problem.measured, nullptr, {{}, sample.loaded}));
  spectra.light = std::move(image.magnitude);
  ASSIGN_OR_RETURN(spectra.passed, MagnitudeOf(*sample.problem.ops, *sample.problem.otf));
  spectra.penalty = method.PenaltyOf(spectra.domain);
  v1::Calibration calibration;
  calibration.set_parameter("lambda");
  calibration.set_criterion("generalised cross validation");
  for (int i = kFirstDecade * kPerDecade; i <= kLastDecade * kPerDecade; ++i) {
    const double lambda = std::pow(10.0, static_cast<double>(i) / kPerDecade);
    v1::CalibrationCandidate& candidate = *calibration.add_candidates();
    candidate.set_value(fmt::format("{:.3g}", lambda));
    candidate.set_score(Score(spectra, lambda));
  }
  return calibration;
}

}  // namespace deconvoy::worker
