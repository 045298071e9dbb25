#include "worker/calibration/noise.h"

#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/calibration/spectrum.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

constexpr double kLeastRatio = 0.8, kMostRatio = 1.25;

}  // namespace

absl::StatusOr<std::optional<double>> VarianceOverMean(Ops& ops, const Otf& otf, const Array& y, const Array* mask,
                                                       const Box3& box) {
  ASSIGN_OR_RETURN(const WindowedSpectrum spectrum, SpectrumUnderWindow(ops, y, mask, box));
  if (!(spectrum.photon_power > 0)) return std::nullopt;
  ASSIGN_OR_RETURN(const std::vector<float> passed, MagnitudeOf(ops, otf));
  const std::optional<double> noise = NoisePower(ops.domain(), spectrum, passed);
  if (!noise) return std::nullopt;
  return *noise / spectrum.photon_power;
}

bool IsPoisson(std::optional<double> variance_over_mean) {
  return variance_over_mean && *variance_over_mean >= kLeastRatio && *variance_over_mean <= kMostRatio;
}

}  // namespace deconvoy::worker
