#include "worker/calibration/signal_to_noise.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/calibration/spectrum.h"
#include "worker/methods/frequencies.h"

namespace deconvoy::worker {
namespace {

constexpr int kShells = 32;
constexpr double kLeastPassed = 1e-6;    // |h^|^2
constexpr double kLeastExcess = 0.05;    // of the noise
constexpr double kDeviations = 3;        // that an excess must have
constexpr double kFrequenciesInOne = 8;  // that the window makes alike

struct Shell {
  double power = 0;   // sum of Sy
  double passed = 0;  // sum of |h^|^2
  double count = 0;
};

std::vector<Shell> PowerByShell(const Shape3& domain, const WindowedSpectrum& spectrum,
                                const std::vector<float>& passed) {
  const std::vector<uint8_t> places = ShellsOf(domain, kShells);
  std::vector<Shell> shells(kShells);
  for (size_t i = 0; i < places.size(); ++i) {
    Shell& shell = shells[places[i]];
    shell.power += static_cast<double>(spectrum.magnitude[i]) * spectrum.magnitude[i];
    shell.passed += static_cast<double>(passed[i]) * passed[i];
    ++shell.count;
  }
  return shells;
}

// 0 where the shell holds nothing that could not be noise.
double RatioIn(const Shell& shell, double noise) {
  if (shell.count == 0 || !(noise > 0)) return 0;
  const double excess = shell.power / shell.count / noise - 1;
  if (excess < kLeastExcess + kDeviations * std::sqrt(kFrequenciesInOne / shell.count)) return 0;
  return excess / std::max(shell.passed / shell.count, kLeastPassed);
}

}  // namespace

absl::StatusOr<v1::Calibration> MeasureSignalToNoise(const CalibrationSample& sample) {
  Ops& ops = *sample.problem.ops;
  ASSIGN_OR_RETURN(const WindowedSpectrum spectrum,
                   SpectrumUnderWindow(ops, *sample.problem.measured, nullptr, {{}, sample.loaded}));
  ASSIGN_OR_RETURN(const std::vector<float> passed, MagnitudeOf(ops, *sample.problem.otf));
  const std::optional<double> tail = NoisePower(ops.domain(), spectrum, passed);
  v1::Calibration calibration;
  calibration.set_parameter("nsr");
  calibration.set_criterion(tail ? "spectrum of the data, noise from beyond the cutoff"
                                 : "spectrum of the data, noise of photons");
  bool passes = true;  // up to the first shell without signal
  for (const Shell& shell : PowerByShell(ops.domain(), spectrum, passed)) {
    const double ratio = RatioIn(shell, tail.value_or(spectrum.photon_power));
    passes = passes && (ratio > 0 || shell.count == 0);
    calibration.add_signal_to_noise(passes ? ratio : 0);
  }
  return calibration;
}

}  // namespace deconvoy::worker
