#include "tests/integration/support/specimen.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

// The share of a spot in each voxel of an axis.
std::vector<double> Profile(int64_t extent, double at, double sigma) {
  std::vector<double> profile;
  for (int64_t i = 0; i < extent; ++i) {
    const double d = (static_cast<double>(i) - at) / sigma;
    profile.push_back(std::exp(-0.5 * d * d) / (sigma * std::sqrt(2 * std::numbers::pi)));
  }
  return profile;
}

double Wider(double psf) {
  return std::sqrt(kBeadSigma * kBeadSigma + psf * psf);
}

void Add(const Bead& bead, const Shape3& shape, const Sigma& psf, std::vector<double>& volume) {
  const std::vector<double> z = Profile(shape.z, bead.z, Wider(psf.z)), y = Profile(shape.y, bead.y, Wider(psf.y)),
                            x = Profile(shape.x, bead.x, Wider(psf.x));
  size_t i = 0;
  for (const double along_z : z) {
    for (const double along_y : y) {
      const double row = bead.light * along_z * along_y;
      for (const double along_x : x) volume[i++] += row * along_x;
    }
  }
}

// Where a profile falls to half its maximum, linear between voxels, on both sides of it.
double Fwhm(const std::vector<double>& profile) {
  const auto peak = std::max_element(profile.begin(), profile.end()) - profile.begin();
  const double half = profile[static_cast<size_t>(peak)] / 2;
  const auto reach = [&](int64_t step) {
    int64_t i = peak;
    const auto last = static_cast<int64_t>(profile.size()) - 1;
    while (i + step >= 0 && i + step <= last && profile[static_cast<size_t>(i + step)] > half) i += step;
    if (i + step < 0 || i + step > last) return static_cast<double>(std::abs(i - peak)) + 0.5;
    const double inside = profile[static_cast<size_t>(i)], outside = profile[static_cast<size_t>(i + step)];
    return static_cast<double>(std::abs(i - peak)) + (inside - half) / (inside - outside);
  };
  return reach(1) + reach(-1);
}

}  // namespace

std::vector<Bead> RandomBeads(const Shape3& shape, int count, double light, const Sigma& margin, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto place = [&](int64_t extent, double left) {
    return std::uniform_real_distribution<double>(left, static_cast<double>(extent - 1) - left)(random);
  };
  std::vector<Bead> beads;
  for (int i = 0; i < count; ++i) {
    const double z = place(shape.z, margin.z), y = place(shape.y, margin.y), x = place(shape.x, margin.x);
    beads.push_back({z, y, x, light * std::uniform_real_distribution<double>(0.5, 1)(random)});
  }
  return beads;
}

std::vector<double> Render(const std::vector<Bead>& beads, const Shape3& shape,
                           const std::function<Sigma(double z)>& psf) {
  std::vector<double> volume(static_cast<size_t>(shape.voxels()));
  for (const Bead& bead : beads) Add(bead, shape, psf(bead.z), volume);
  return volume;
}

std::vector<double> Truth(const std::vector<Bead>& beads, const Shape3& shape) {
  return Blurred(beads, shape, {});
}

std::vector<double> Blurred(const std::vector<Bead>& beads, const Shape3& shape, const Sigma& psf) {
  return Render(beads, shape, [&psf](double) { return psf; });
}

std::vector<double> Noisy(const std::vector<double>& photons, double background, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> noisy;
  for (const double mean : photons) {
    noisy.push_back(static_cast<double>(std::poisson_distribution<int64_t>(mean + background)(random)));
  }
  return noisy;
}

void SaveStacks(const std::filesystem::path& path, int64_t times, int64_t channels, const Shape3& shape, double z_um,
                const std::vector<std::vector<double>>& stacks) {
  v1::VolumeSpec spec = MakeSpec({times, channels, shape.z, shape.y, shape.x}, v1::F32);
  spec.mutable_voxel_size()->set_z_um(z_um);
  std::vector<double> voxels;
  for (const std::vector<double>& stack : stacks) voxels.insert(voxels.end(), stack.begin(), stack.end());
  EXPECT_OK(SaveImage(path, spec, voxels));
}

double MeanFwhm(const std::vector<double>& volume, const Shape3& shape, const std::vector<Bead>& beads, int axis) {
  constexpr int64_t kReach = 6, kExtent = 2 * kReach + 1;
  double sum = 0;
  for (const Bead& bead : beads) {
    const Voxel first{std::lround(bead.z) - kReach, std::lround(bead.y) - kReach, std::lround(bead.x) - kReach};
    const Box3 around = Intersect({first, {kExtent, kExtent, kExtent}}, {{}, shape});
    std::vector<double> profile(static_cast<size_t>(kExtent));
    for (int64_t z = around.origin.z; z < around.end().z; ++z)
      for (int64_t y = around.origin.y; y < around.end().y; ++y)
        for (int64_t x = around.origin.x; x < around.end().x; ++x) {
          const int64_t at = axis == 0 ? z - first.z : axis == 1 ? y - first.y : x - first.x;
          profile[static_cast<size_t>(at)] += volume[static_cast<size_t>((z * shape.y + y) * shape.x + x)];
        }
    sum += Fwhm(profile);
  }
  return sum / static_cast<double>(beads.size());
}

std::vector<double> Planes(const std::vector<double>& volume, const Shape3& shape, int64_t begin, int64_t end) {
  const int64_t plane = shape.y * shape.x;
  return {volume.begin() + begin * plane, volume.begin() + end * plane};
}

}  // namespace deconvoy::testing
