#include "worker/calibration/cross_validation.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

constexpr int kFirstDecade = -8, kLastDecade = 1, kPerDecade = 4;

// What V is made of, at each frequency of the half spectrum.
struct Spectra {
  Shape3 domain;
  std::vector<float> light;    // |(y - b)^|
  std::vector<float> passed;   // |h^|
  std::vector<float> penalty;  // P
};

absl::StatusOr<std::vector<float>> LightOf(const Problem& problem) {
  const Shape3& domain = problem.ops->domain();
  std::vector<float> values(static_cast<size_t>(domain.voxels()));
  RETURN_IF_ERROR(problem.ops->Download(*problem.measured, {{}, domain}, values));
  for (float& value : values) value -= problem.background;
  ASSIGN_OR_RETURN(const auto transform, problem.ops->MakeOtf(values, domain, {}));
  values = {};
  return MagnitudeOf(*problem.ops, *transform);
}

double Score(const Spectra& s, double lambda) {
  double residual = 0, freedom = 0;
  size_t i = 0;
  for (int64_t line = 0; line < s.domain.z * s.domain.y; ++line) {
    double squares = 0, sum = 0;
    for (int64_t x = 0; x <= s.domain.x / 2; ++x, ++i) {
      const double twice = x == 0 || 2 * x == s.domain.x ? 1 : 2;  // it stands for its negative, too
      const double kept = lambda * s.penalty[i];
      const double all = static_cast<double>(s.passed[i]) * s.passed[i] + kept;
      const double r = all > 0 ? kept / all : 0;
      squares += twice * (r * s.light[i]) * (r * s.light[i]);
      sum += twice * r;
    }
    residual += squares;
    freedom += sum;
  }
  return freedom > 0 ? residual / (freedom * freedom) : 0;
}

}  // namespace

absl::StatusOr<v1::Calibration> CrossValidate(const CalibrationSample& sample, const Method& method) {
  Spectra spectra{.domain = sample.problem.ops->domain(), .light = {}, .passed = {}, .penalty = {}};
  ASSIGN_OR_RETURN(spectra.light, LightOf(sample.problem));
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
