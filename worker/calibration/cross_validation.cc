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
constexpr double kNoiseFactor = 8;
constexpr double kLeastRoot = 1e-3;

// What V is made of, at each frequency of the half spectrum.
struct Spectra {
  Shape3 domain;
  std::vector<float> light;    // |F|
  std::vector<float> passed;   // |h^|
  std::vector<float> penalty;  // P
  double noise = 0;            // mean |F|^2 of the noise
  bool flat = false;           // P is the same everywhere
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
  if (s.flat) return (residual + kNoiseFactor * s.noise * fitted) / n;
  const double root = std::max(1 - kFactor * fitted / n, kLeastRoot);
  return residual / n / (root * root);
}

}  // namespace

absl::StatusOr<v1::Calibration> CrossValidate(const CalibrationSample& sample, const Method& method) {
  Spectra spectra{.domain = sample.problem.ops->domain(), .light = {}, .passed = {}, .penalty = {}};
  ASSIGN_OR_RETURN(WindowedSpectrum image,
                   SpectrumUnderWindow(*sample.problem.ops, *sample.problem.measured, nullptr, {{}, sample.loaded}));
  ASSIGN_OR_RETURN(spectra.passed, MagnitudeOf(*sample.problem.ops, *sample.problem.otf));
  spectra.noise = NoisePower(spectra.domain, image, spectra.passed).value_or(image.photon_power);
  spectra.light = std::move(image.magnitude);
  spectra.penalty = method.PenaltyOf(spectra.domain);
  spectra.flat = std::all_of(spectra.penalty.begin(), spectra.penalty.end(),
                             [&spectra](float p) { return p == spectra.penalty.front(); });
  v1::Calibration calibration;
  calibration.set_parameter("lambda");
  calibration.set_criterion(spectra.flat ? "error of the prediction, from the power of the noise"
                                         : "generalised cross validation");
  for (int i = kFirstDecade * kPerDecade; i <= kLastDecade * kPerDecade; ++i) {
    const double lambda = std::pow(10.0, static_cast<double>(i) / kPerDecade);
    v1::CalibrationCandidate& candidate = *calibration.add_candidates();
    candidate.set_value(fmt::format("{:.3g}", lambda));
    candidate.set_score(Score(spectra, lambda));
  }
  return calibration;
}

}  // namespace deconvoy::worker
