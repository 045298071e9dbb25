// Beads whose truth and image are known in closed form: Gaussian spots, which a Gaussian PSF makes wider.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "tests/integration/support/image.h"

namespace deconvoy::testing {

// Standard deviations along the axes, in voxels.
struct Sigma {
  double z = 0, y = 0, x = 0;
};

// A spot; place and extent in voxels.
struct Bead {
  double z = 0, y = 0, x = 0;
  double light = 0;  // photons
};

inline constexpr double kBeadSigma = 1;

// Beads of 0.5 to 1 times `light`, at places that leave `margin` voxels to the faces.
std::vector<Bead> RandomBeads(const Shape3& shape, int count, double light, const Sigma& margin, uint64_t seed);

// The beads' light in every voxel, blurred by a PSF that may depend on the depth of the bead in voxels.
std::vector<double> Render(const std::vector<Bead>& beads, const Shape3& shape,
                           const std::function<Sigma(double z)>& psf);
std::vector<double> Truth(const std::vector<Bead>& beads, const Shape3& shape);
std::vector<double> Blurred(const std::vector<Bead>& beads, const Shape3& shape, const Sigma& psf);

// Poisson numbers with these means and `background` more.
std::vector<double> Noisy(const std::vector<double>& photons, double background, uint64_t seed);

// Writes stacks of one shape (t,c order) as f32, with planes `z_um` and rows and columns 0.1 um apart.
void SaveStacks(const std::filesystem::path& path, int64_t times, int64_t channels, const Shape3& shape, double z_um,
                const std::vector<std::vector<double>>& stacks);

// The mean full width at half maximum of the beads in a volume along an axis (0 z, 1 y, 2 x), in voxels, of the light
// that lies at most 6 voxels from each along every axis.
double MeanFwhm(const std::vector<double>& volume, const Shape3& shape, const std::vector<Bead>& beads, int axis);

// The planes [begin, end) of a volume.
std::vector<double> Planes(const std::vector<double>& volume, const Shape3& shape, int64_t begin, int64_t end);

}  // namespace deconvoy::testing
