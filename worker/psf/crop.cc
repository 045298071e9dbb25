#include "worker/psf/crop.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace deconvoy::worker {
namespace {

int64_t Reach(int64_t centre, int64_t extent) {
  return std::max(centre, extent - 1 - centre);
}

// Sums of the PSF over symmetric boxes: the value at (z,y,x) is the sum of all voxels at most that far from the centre.
class SymmetricSums {
 public:
  SymmetricSums(std::span<const float> values, const Shape3& shape, const Voxel& centre, const Voxel& half)
      : shape_{half.z + 1, half.y + 1, half.x + 1}, sums_(static_cast<size_t>(shape_.voxels())) {
    Fold(values, shape, centre);
    Accumulate();
  }

  double At(const Voxel& half) const { return sums_[Index(half.z, half.y, half.x)]; }

 private:
  size_t Index(int64_t z, int64_t y, int64_t x) const { return static_cast<size_t>((z * shape_.y + y) * shape_.x + x); }

  void Fold(std::span<const float> values, const Shape3& shape, const Voxel& centre) {
    size_t i = 0;
    for (int64_t z = 0; z < shape.z; ++z) {
      for (int64_t y = 0; y < shape.y; ++y) {
        for (int64_t x = 0; x < shape.x; ++x, ++i) {
          const Voxel d{std::abs(z - centre.z), std::abs(y - centre.y), std::abs(x - centre.x)};
          if (d.z >= shape_.z || d.y >= shape_.y || d.x >= shape_.x || !(values[i] > 0)) continue;
          sums_[Index(d.z, d.y, d.x)] += values[i];
        }
      }
    }
  }

  void Accumulate() {
    for (int64_t z = 0; z < shape_.z; ++z) {
      for (int64_t y = 0; y < shape_.y; ++y) {
        for (int64_t x = 1; x < shape_.x; ++x) sums_[Index(z, y, x)] += sums_[Index(z, y, x - 1)];
      }
      for (int64_t y = 1; y < shape_.y; ++y) {
        for (int64_t x = 0; x < shape_.x; ++x) sums_[Index(z, y, x)] += sums_[Index(z, y - 1, x)];
      }
    }
    const int64_t plane = shape_.y * shape_.x;
    for (size_t i = static_cast<size_t>(plane); i < sums_.size(); ++i)
      sums_[i] += sums_[i - static_cast<size_t>(plane)];
  }

  const Shape3 shape_;
  std::vector<double> sums_;
};

double Volume(const Voxel& half) {
  return static_cast<double>(2 * half.z + 1) * static_cast<double>(2 * half.y + 1) *
         static_cast<double>(2 * half.x + 1);
}

// The box after its cheapest admissible step, or `half` itself when there is none.
Voxel Shrink(const SymmetricSums& sums, const Voxel& half, double least) {
  Voxel best = half;
  double best_loss = 0;
  for (const Voxel& step : {Voxel{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}) {
    const Voxel next = half - step;
    if (next.z < 0 || next.y < 0 || next.x < 0 || sums.At(next) < least) continue;
    const double loss = (sums.At(half) - sums.At(next)) / (Volume(half) - Volume(next));
    if (best == half || loss < best_loss) {
      best = next;
      best_loss = loss;
    }
  }
  return best;
}

}  // namespace

PsfCrop FindCrop(std::span<const float> values, const Shape3& shape, const Voxel& centre, const CropLimits& limits) {
  const Voxel reach{Reach(centre.z, shape.z), Reach(centre.y, shape.y), Reach(centre.x, shape.x)};
  PsfCrop crop;
  crop.half = {std::min(reach.z, limits.image.z - 1), std::min(reach.y, limits.image.y - 1),
               std::min(reach.x, limits.image.x - 1)};
  crop.limited = !(crop.half == reach);
  const SymmetricSums sums(values, shape, centre, crop.half);
  crop.limited_sum = sums.At(crop.half);
  for (Voxel next = Shrink(sums, crop.half, limits.energy * crop.limited_sum); !(next == crop.half);
       next = Shrink(sums, crop.half, limits.energy * crop.limited_sum)) {
    crop.half = next;
  }
  crop.sum = sums.At(crop.half);
  return crop;
}

}  // namespace deconvoy::worker
