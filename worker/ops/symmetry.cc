#include "worker/ops/symmetry.h"

#include <cmath>
#include <cstdint>

namespace deconvoy::worker {

bool IsSymmetric(std::span<const float> psf, const Shape3& shape, const Voxel& centre) {
  constexpr double kTolerance = 1e-6;
  const Box3 box{{}, shape};
  double sum = 0, difference = 0;
  size_t i = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x, ++i) {
        const Voxel other = centre + centre - Voxel{z, y, x};
        const bool inside = box.Contains({other, {1, 1, 1}});
        const double reflected =
            inside ? psf[static_cast<size_t>((other.z * shape.y + other.y) * shape.x + other.x)] : 0;
        sum += psf[i];
        difference += std::abs(psf[i] - reflected);
      }
    }
  }
  return difference <= kTolerance * sum;
}

}  // namespace deconvoy::worker
