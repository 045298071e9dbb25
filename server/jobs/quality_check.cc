#include "server/jobs/quality_check.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

namespace deconvoy::server {
namespace {

// Measured: docs/quality.md.
constexpr uint64_t kLeastVoxels = 4096;       // below, everything is chance
constexpr uint64_t kLeastFlat = 2048;         // likewise
constexpr uint64_t kLeastFaint = 640;         // ten blocks
constexpr double kMostBias = 0.3;             // of the residual's deviation
constexpr double kMostCorrelation = 0.2;
constexpr double kMostRms = 1.25, kLeastRms = 0.8;
constexpr double kMostAmplification = 30;     // of the variance in flat regions
constexpr double kMostRings = 1e-4;           // share of the voxels
constexpr double kLeastFaintKept = 0.5;

// What the sums come to.
struct Quality {
  double bias, rms, deviation, correlation;

  explicit Quality(const v1::QualityStatistics& q)
      : bias(q.residual_sum() / static_cast<double>(q.voxels())),
        rms(std::sqrt(q.residual_squares() / static_cast<double>(q.voxels()))),
        deviation(std::sqrt(std::max(rms * rms - bias * bias, 0.0))),
        correlation(0) {
    if (q.neighbours() == 0 || !(deviation > 0)) return;
    correlation = (q.neighbour_products() / static_cast<double>(q.neighbours()) - bias * bias) / (deviation * deviation);
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

void CheckResidual(const v1::DeconvolveSpec& spec, const Quality& quality, std::vector<v1::Finding>& findings) {
  const bool biased = std::abs(quality.bias) > kMostBias * quality.deviation;
  if (biased) {
    Warn(fmt::format("the blurred result is {} than the image: the residual's mean is {:.2f}, its deviation {:.2f}",
                     quality.bias < 0 ? "brighter" : "darker", quality.bias, quality.deviation),
         "deconvolve.background",
         quality.bias < 0 ? "Give a lower background, or leave it to be estimated (--background auto)."
                          : "Check the PSF, the background and the offset, or give more iterations.",
         findings);
  }
  if (!biased && quality.correlation > kMostCorrelation) {
    Warn(fmt::format("the residual is not noise: neighbouring voxels correlate by {:.2f}, so the blurred result misses "
                     "structure of the image",
                     quality.correlation),
         "deconvolve.psf_volume",
         "Check the PSF (its width, voxel size and centre); if it is right, give more iterations or less regularisation.",
         findings);
  }
}

void CheckNoise(const v1::DeconvolveSpec& spec, const Quality& quality, std::vector<v1::Finding>& findings) {
  const double gain = spec.gain_photons_per_count();
  if (gain == 0 || gain == 1 || findings.size() > 0) return;
  if (quality.rms > kMostRms) {
    Warn(fmt::format("the residual is noise, but {:.2f} times as much as that of photons", quality.rms), "deconvolve.gain_photons_per_count",
         fmt::format("Check gain and read noise; without read noise a gain of about {:.3g} would explain it.",
                     gain / (quality.rms * quality.rms)),
         findings);
  } else if (quality.rms < kLeastRms) {
    Warn(fmt::format("the residual has only {:.2f} times the noise of photons: the result follows the noise of the image, or the gain is too low", quality.rms),
         "deconvolve.parameters", "Give fewer iterations or more regularisation, or check the gain.", findings);
  }
}

}  // namespace
}
