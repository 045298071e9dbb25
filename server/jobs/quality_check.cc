#include "server/jobs/quality_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "proto/contract/deconvolution.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/quality.h"

namespace deconvoy::server {
namespace {

constexpr char kBackground[] = "deconvolve.background";
constexpr char kGain[] = "deconvolve.gain_photons_per_count";
constexpr char kPsf[] = "deconvolve.psf_volume";
constexpr char kParameters[] = "deconvolve.parameters";
constexpr char kModelRemedy[] =  // a model has no iterations and no regularisation to change
    "Check the PSF, the background and the offset; if they are right, compare with a classical method, or train a "
    "model "
    "for images like this one.";

// Measured: docs/quality.md.
constexpr uint64_t kLeastVoxels = 4096;  // below, everything is chance
constexpr uint64_t kLeastFaint = 640;    // ten blocks
// Share of the voxels that lie in flat regions where the image's noise is white: 0.16 and more of stacks with such
// noise, 0.06 and less of those that are smoothed, interpolated or without noise.
constexpr double kLeastFlat = 0.1;
constexpr int64_t kFlatPlanes = 4;  // of the result, of which one is searched for flat regions if it was measured
constexpr double kMostBias = 0.18, kMostBiasOfOthers = 0.5;  // of the residual's deviation
constexpr double kMostCorrelation = 0.1, kLeastCorrelation = -0.06;
constexpr double kMostRms = 1.35, kLeastRms = 0.75;
constexpr double kMostAmplification = 1.4;  // of deviations in flat regions
constexpr double kMostRings = 1e-3;         // share of the voxels
constexpr double kLeastFaintKept = 0.5;

// What the sums come to.
struct Quality {
  double image_voxels, result_voxels;  // that count: of one view, of its planes and those between
  double bias, rms, deviation;
  double lowest = 0, highest = 0;  // correlation along any axis
  bool white;                      // the image's noise

  Quality(const v1::QualityStatistics& q, int64_t views, int64_t upsample)
      : image_voxels(static_cast<double>(q.voxels()) / static_cast<double>(views)),
        result_voxels(image_voxels * static_cast<double>(upsample)),
        bias(q.residual_sum() / static_cast<double>(q.voxels())),
        rms(std::sqrt(q.residual_squares() / static_cast<double>(q.voxels()))),
        deviation(std::sqrt(std::max(rms * rms - bias * bias, 0.0))),
        // Of `upsample` planes one was measured; the share of those that is searched is gcd / kFlatPlanes.
        white(static_cast<double>(q.flat_voxels()) >=
              kLeastFlat * image_voxels * static_cast<double>(std::gcd(kFlatPlanes, upsample))) {
    const Correlation along = CorrelationOf(q);
    std::tie(lowest, highest) = std::minmax({along.x, along.y, along.z});
  }
};

void Warn(std::string message, const char* field, std::string remedy, std::vector<v1::Finding>& findings) {
  v1::Finding& finding = findings.emplace_back();
  finding.set_severity(v1::WARNING);
  finding.set_message(std::move(message));
  finding.mutable_info()->set_reason(v1::INVALID_FIELD);
  finding.mutable_info()->set_field(field);
  finding.mutable_info()->set_remedy(std::move(remedy));
}

bool Iterates(const v1::DeconvolveSpec& spec) {
  return spec.parameters().contains(std::string(kIterations));
}

// Of a result that is too bright: a background that is estimated can hardly be too high.
const char* BrightRemedy(const v1::DeconvolveSpec& spec) {
  if (spec.background_case() != v1::DeconvolveSpec::kBackgroundAuto &&
      spec.background_case() != v1::DeconvolveSpec::kBackgroundPlanesAuto)
    return "Give a lower background, or leave it to be estimated (--background auto).";
  return Iterates(spec) ? "Give more iterations, or a lower background (--background)."
                        : "Give a lower background (--background), or check the PSF.";
}

void CheckBias(const v1::DeconvolveSpec& spec, const Quality& quality, std::vector<v1::Finding>& findings) {
  const double bias = quality.bias / quality.deviation;
  const std::string numbers =
      fmt::format("the residual's mean is {:.2f}, its deviation {:.2f}", quality.bias, quality.deviation);
  const double most = quality.white ? kMostBias : kMostBiasOfOthers;
  if (bias > most) {
    Warn("the blurred result is darker than the image: " + numbers, kBackground,
         "Check the PSF, the background and the offset, or give more iterations.", findings);
  } else if (bias < -most && quality.lowest < kLeastCorrelation) {
    Warn(fmt::format("the result follows the noise of the image: {}, and neighbours of it correlate by {:.2f}", numbers,
                     quality.lowest),
         kPsf, "Check whether the PSF is too narrow (its voxel size, the objective), or lower the background.",
         findings);
  } else if (bias < -most) {
    Warn("the blurred result is brighter than the image: " + numbers, kBackground, BrightRemedy(spec), findings);
  }
}

void CheckResidual(const v1::DeconvolveSpec& spec, const Quality& quality, std::vector<v1::Finding>& findings) {
  if (!(quality.deviation > 0)) return;
  CheckBias(spec, quality, findings);
  if (!findings.empty() || !quality.white || quality.highest <= kMostCorrelation) return;
  Warn(fmt::format("the residual is not noise: neighbours of it correlate by {:.2f}, so the blurred result misses "
                   "structure of the image",
                   quality.highest),
       kPsf,
       "Look at it (--residual FILE). Check whether the PSF is too wide or wrong; if it is right, give more iterations "
       "or less regularisation.",
       findings);
}

// Of a residual that is neither biased nor has structure. `gain` is 0 where it is not known.
void CheckDeviation(double gain, double rms, std::vector<v1::Finding>& findings) {
  if (gain == 0) return;
  if (rms > kMostRms) {
    Warn(fmt::format("the residual is noise, but {:.2f} times as much as that of photons", rms), kGain,
         fmt::format("Check gain and read noise; without read noise a gain of {:.3g} would explain it.",
                     gain / (rms * rms)),
         findings);
  } else if (rms < kLeastRms) {
    Warn(fmt::format("the residual has only {:.2f} times the noise of photons: the result follows the noise, or the "
                     "gain is too low",
                     rms),
         kParameters, "Give fewer iterations or more regularisation, or check the gain.", findings);
  }
}

void CheckNoise(const v1::DeconvolveSpec& spec, const v1::QualityStatistics& quality,
                std::vector<v1::Finding>& findings) {
  if (!(quality.flat_squares_before() > 0)) return;
  const double amplification = std::sqrt(quality.flat_squares_after() / quality.flat_squares_before());
  if (amplification <= kMostAmplification) return;
  Warn(fmt::format("in flat regions the result varies {:.1f} times as much as the image: noise has been amplified",
                   amplification),
       kParameters,
       Iterates(spec) ? "Give fewer iterations (--iterations), or use rl-tv or more regularisation."
                      : "Regularise more, or use rl-tv.",
       findings);
}

void CheckRings(const v1::QualityStatistics& quality, double voxels, std::vector<v1::Finding>& findings) {
  const double rings = static_cast<double>(quality.ring_voxels()) / voxels;
  if (rings <= kMostRings) return;
  Warn(fmt::format("{} voxels of the result ({:.2g} %) lie far below zero beside bright structures: it rings",
                   quality.ring_voxels(), 100 * rings),
       "deconvolve.method", "Regularise more, or use a method that keeps the result non-negative, such as rl.",
       findings);
}

void CheckFaint(const v1::QualityStatistics& quality, std::vector<v1::Finding>& findings) {
  if (quality.faint_voxels() < kLeastFaint || !(quality.faint_light_before() > 0)) return;
  const double kept = quality.faint_light_after() / quality.faint_light_before();
  if (kept >= kLeastFaintKept) return;
  Warn(fmt::format("of small structures near the background only {:.0f} % of the light is left: they are being lost",
                   100 * std::max(kept, 0.0)),
       kBackground, "Give a lower background, more iterations, or less regularisation.", findings);
}

}  // namespace

std::vector<v1::Finding> CheckQuality(const v1::DeconvolveSpec& spec, const v1::QualityStatistics& quality,
                                      int64_t views) {
  std::vector<v1::Finding> findings;
  if (quality.voxels() < kLeastVoxels) return findings;
  const Quality residual(quality, views, AxialUpsample(spec));
  CheckResidual(spec, residual, findings);
  if (findings.empty() && residual.white) CheckDeviation(spec.gain_photons_per_count(), residual.rms, findings);
  if (residual.white) CheckNoise(spec, quality, findings);
  CheckRings(quality, residual.result_voxels, findings);
  if (residual.white) CheckFaint(quality, findings);
  if (spec.method() == kNetworkMethod) {
    for (v1::Finding& finding : findings) {
      if (finding.info().field() != kGain) finding.mutable_info()->set_remedy(kModelRemedy);
    }
  }
  return findings;
}

}  // namespace deconvoy::server
