#include "worker/psf/pupil.h"

#include <algorithm>
#include <utility>

namespace deconvoy::worker {
namespace {

constexpr double kSlopeStep = 0.005;  // waves

}  // namespace

PupilModel::PupilModel(const KnownOptics& optics, const Shape3& box, std::vector<int> modes)
    : optics_(optics), box_(box), modes_(std::move(modes)) {}

std::vector<double> PupilModel::given() const {
  std::vector<double> waves(modes_.size());
  const Optics& emission = optics_.microscope.emission;
  for (const ZernikeTerm& term : emission.zernike) {
    const auto mode = std::find(modes_.begin(), modes_.end(), term.noll);
    if (mode != modes_.end()) waves[static_cast<size_t>(mode - modes_.begin())] = term.rms_um / emission.wavelength_um;
  }
  return waves;
}

std::vector<float> PupilModel::At(std::span<const double> waves) const {
  Microscope microscope = optics_.microscope;
  Optics& emission = microscope.emission;
  std::erase_if(emission.zernike, [this](const ZernikeTerm& term) {
    return std::find(modes_.begin(), modes_.end(), term.noll) != modes_.end();
  });
  for (size_t i = 0; i < modes_.size(); ++i) {
    if (waves[i] != 0) emission.zernike.push_back({.noll = modes_[i], .rms_um = waves[i] * emission.wavelength_um});
  }
  return MakePsf(microscope, {.shape = box_, .z_um = optics_.z_um, .y_um = optics_.y_um, .x_um = optics_.x_um},
                 optics_.threads);
}

std::vector<float> PupilModel::SlopeAt(std::span<const double> waves, size_t mode) const {
  std::vector<double> beside(waves.begin(), waves.end());
  beside[mode] = waves[mode] + kSlopeStep;
  std::vector<float> slope = At(beside);
  beside[mode] = waves[mode] - kSlopeStep;
  const std::vector<float> below = At(beside);
  for (size_t i = 0; i < slope.size(); ++i) {
    slope[i] = (slope[i] - below[i]) / static_cast<float>(2 * kSlopeStep);
  }
  return slope;
}

}  // namespace deconvoy::worker
