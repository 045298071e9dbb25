// What becomes of results where they lie: worker/ops/finishing.h.
#include "worker/backends/cuda/kernels.h"
#include "worker/imaging/residual.h"
#include "worker/imaging/result_noise.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr double kMostFloat = 3.4028234663852886e38;

struct Converted {
  VoxelsOf of;

  DECONVOY_DEVICE float photons(int64_t z, int64_t y, int64_t x) const {
    return of.array.at(of.box.origin.z + z, of.box.origin.y + y, of.box.origin.x + x);
  }
  DECONVOY_DEVICE double counts(float photons) const { return static_cast<double>(photons) / of.gain + of.offset; }
  // Whether a voxel can hold them, or what is nearest to them.
  DECONVOY_DEVICE bool holds(double counts) const {
    return counts - counts == 0 && (of.bytes != 4 || fabs(counts) <= kMostFloat);
  }
  DECONVOY_DEVICE double most() const { return of.bytes == 1 ? 255 : 65535; }
  DECONVOY_DEVICE bool below(double counts) const { return counts <= -0.5; }
  DECONVOY_DEVICE bool above(double counts) const { return counts >= most() + 0.5; }
  // Half away from zero.
  DECONVOY_DEVICE int32_t integer(double counts) const {
    const double inside = below(counts) ? 0 : above(counts) ? most() : counts;
    const auto whole = static_cast<int32_t>(inside);
    return whole + (inside - whole >= 0.5 ? 1 : 0);
  }
};

struct VoxelsVisit {
  Converted converted;
  void* voxels;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const Shape3& shape = converted.of.box.shape;
    const int64_t i = (z * shape.y + y) * shape.x + x;
    double counts = converted.counts(converted.photons(z, y, x));
    if (!converted.holds(counts)) counts = 0;
    if (converted.of.bytes == 1) {
      static_cast<uint8_t*>(voxels)[i] = static_cast<uint8_t>(converted.integer(counts));
    } else if (converted.of.bytes == 2) {
      static_cast<uint16_t*>(voxels)[i] = static_cast<uint16_t>(converted.integer(counts));
    } else {
      static_cast<float*>(voxels)[i] = static_cast<float>(counts);
    }
  }
};

struct CountVisit {
  Converted converted;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x, VoxelSums& sums) const {
    const float photons = converted.photons(z, y, x);
    const double counts = converted.counts(photons);
    if (!converted.holds(counts)) {
      sums.not_finite += 1;
      return;
    }
    sums.minimum = counts < sums.minimum ? counts : sums.minimum;
    sums.maximum = counts > sums.maximum ? counts : sums.maximum;
    sums.sum += counts;
    sums.voxels += 1;
    if (photons != 0) sums.lit += 1;
    if (converted.of.bytes != 4 && (converted.below(counts) || converted.above(counts))) sums.clipped += 1;
  }
};

struct RingsVisit {
  RingsOf of;
  DECONVOY_DEVICE float value(int64_t z, int64_t y, int64_t x) const {
    return of.result.at(of.core.origin.z + z, of.core.origin.y + y, of.core.origin.x + x);
  }
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x, Totals<1>& sums) const {
    if (!(value(z, y, x) < of.dark)) return;
    const int64_t first = x > kRingReach ? x - kRingReach : 0;
    const int64_t last = x + kRingReach < of.core.shape.x ? x + kRingReach : of.core.shape.x - 1;
    for (int64_t i = first; i <= last; ++i) {
      if (value(z, y, i) >= of.bright) {
        sums.value[0] += 1;
        return;
      }
    }
  }
};

// Squared deviations from the mean, of sums over a block's values less a pivot.
DECONVOY_DEVICE double Deviations(float sum, float squares) {
  const double total = sum;
  return squares - total * total / (kFlatBlock * kFlatBlock);
}

struct FlatVisit {
  FlatOf of;
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t row, int64_t column, Totals<3>& sums) const {
    const int64_t z = of.core.origin.z + of.first_plane + plane * of.every_planes,
                  y = of.core.origin.y + row * kFlatBlock, x = of.core.origin.x + column * kFlatBlock;
    const float pivot = of.image.at(z, y, x), result_pivot = of.result.at(z, y, x);
    float sum = 0, squares = 0, differences = 0, result_sum = 0, result_squares = 0;
    for (int64_t i = 0; i < kFlatBlock; ++i) {
      float of_sum = 0, of_squares = 0, of_differences = 0, of_result = 0, of_result_squares = 0;
      for (int64_t j = 0; j < kFlatBlock; ++j) {
        if (of.mask.data != nullptr && (of.mask.at(z, y + j, x + i) == 0 || of.mask.at(z, y + j, x + i + 1) == 0)) {
          return;
        }
        const float here = of.image.at(z, y + j, x + i), v = here - pivot,
                    step = of.image.at(z, y + j, x + i + 1) - here, w = of.result.at(z, y + j, x + i) - result_pivot;
        of_sum += v;
        of_squares += v * v;
        of_differences += step * step;
        of_result += w;
        of_result_squares += w * w;
      }
      sum += of_sum;
      squares += of_squares;
      differences += of_differences;
      result_sum += of_result;
      result_squares += of_result_squares;
    }
    constexpr double kVoxels = static_cast<double>(kFlatBlock * kFlatBlock);
    const double before = Deviations(sum, squares), between = differences / 2;
    if (!(between > 0) || before / (kVoxels - 1) > kFlatRatio * between / kVoxels) return;
    const double after = Deviations(result_sum, result_squares);
    sums.value[0] += kVoxels;
    sums.value[1] += before;
    sums.value[2] += after < 0 ? 0 : after;
  }
};

struct ResidualVisit {
  ResidualOf of;

  DECONVOY_DEVICE bool counts(int64_t z, int64_t y, int64_t x) const {
    return of.mask.data == nullptr || of.mask.at(z, y, x) != 0;
  }
  DECONVOY_DEVICE double residual(int64_t z, int64_t y, int64_t x) const {
    const float model = of.model.at(z, y, x), floored = model < of.floor ? of.floor : model;
    return (of.image.at(z, y, x) - model) / sqrtf(floored);
  }
  // With the voxel before along an axis.
  DECONVOY_DEVICE void pair(int64_t z, int64_t y, int64_t x, double r, double* count_and_products) const {
    if (!counts(z, y, x)) return;
    count_and_products[0] += 1;
    count_and_products[1] += r * residual(z, y, x);
  }
  DECONVOY_DEVICE void operator()(int64_t dz, int64_t dy, int64_t dx, Totals<9>& sums) const {
    const int64_t z = of.core.origin.z + dz, y = of.core.origin.y + dy, x = of.core.origin.x + dx;
    if (!counts(z, y, x)) return;
    const double r = residual(z, y, x);
    sums.value[0] += 1;
    sums.value[1] += r;
    sums.value[2] += r * r;
    if (dx > 0) pair(z, y, x - 1, r, sums.value + 3);
    if (dy > 0) pair(z, y - 1, x, r, sums.value + 5);
    if (dz > 0) pair(z - 1, y, x, r, sums.value + 7);
  }
};

struct FaintVisit {
  ResidualOf of;
  double background, brightest;

  struct Block {
    double mean, contrast;
  };
  DECONVOY_DEVICE static bool inner(int64_t i) { return i >= kFaintRim && i < kFaintBlock - kFaintRim; }
  DECONVOY_DEVICE static Block Measure(const Field& field, int64_t z, int64_t y, int64_t x) {
    double sum = 0, middle = 0;
    for (int64_t i = 0; i < kFaintBlock; ++i) {
      float all = 0, of_middle = 0;
      for (int64_t j = 0; j < kFaintBlock; ++j) {
        const float v = field.at(z, y + j, x + i);
        all += v;
        if (inner(j)) of_middle += v;
      }
      sum += all;
      if (inner(i)) middle += of_middle;
    }
    return {sum / (kFaintInner + kFaintOuter), middle / kFaintInner - (sum - middle) / kFaintOuter};
  }
  // The variance of noise that neighbours do not share.
  DECONVOY_DEVICE double noise(int64_t z, int64_t y, int64_t x) const {
    double sum = 0;
    for (int64_t i = 0; i + 1 < kFaintBlock; ++i) {
      float squares = 0;
      for (int64_t j = 0; j < kFaintBlock; ++j) {
        const float step = of.image.at(z, y + j, x + i + 1) - of.image.at(z, y + j, x + i);
        squares += step * step;
      }
      sum += squares;
    }
    return sum / static_cast<double>(2 * kFaintBlock * (kFaintBlock - 1));
  }
  DECONVOY_DEVICE bool measured(int64_t z, int64_t y, int64_t x) const {
    if (of.mask.data == nullptr) return true;
    for (int64_t j = 0; j < kFaintBlock; ++j) {
      for (int64_t i = 0; i < kFaintBlock; ++i) {
        if (of.mask.at(z, y + j, x + i) == 0) return false;
      }
    }
    return true;
  }
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t row, int64_t column, Totals<3>& sums) const {
    const int64_t z = of.core.origin.z + plane, y = of.core.origin.y + row * kFaintBlock,
                  x = of.core.origin.x + column * kFaintBlock;
    if (!measured(z, y, x)) return;
    const Block block = Measure(of.image, z, y, x);
    if (block.contrast <= 0 || block.mean - background > kFaintLight * (brightest - background)) return;
    const double variance = noise(z, y, x) * (1 / kFaintInner + 1 / kFaintOuter);
    if (block.contrast * block.contrast < kFaintSignificance * kFaintSignificance * variance) return;
    sums.value[0] += static_cast<double>(kFaintBlock * kFaintBlock);
    sums.value[1] += kFaintInner * block.contrast;
    sums.value[2] += kFaintInner * Measure(of.model, z, y, x).contrast;
  }
};

}  // namespace

int RunVoxels(const LaunchPlace& place, const VoxelsOf& of, void* voxels) {
  return ForEach(place, of.box.shape, VoxelsVisit{{of}, voxels});
}

int RunCountVoxels(const LaunchPlace& place, const VoxelsOf& of, VoxelSums* sums) {
  return Sum(place, of.box.shape, /*onto=*/false, sums, CountVisit{{of}});
}

int RunRings(const LaunchPlace& place, const RingsOf& of, Totals<1>* sums) {
  return Sum(place, of.core.shape, /*onto=*/false, sums, RingsVisit{of});
}

int RunFlat(const LaunchPlace& place, const FlatOf& of, const Shape3& blocks, Totals<3>* sums) {
  return Sum(place, blocks, /*onto=*/false, sums, FlatVisit{of});
}

int RunResidual(const LaunchPlace& place, const ResidualOf& of, Totals<9>* sums) {
  return Sum(place, of.core.shape, /*onto=*/false, sums, ResidualVisit{of});
}

int RunFaint(const LaunchPlace& place, const ResidualOf& of, double background, double brightest, const Shape3& blocks,
             Totals<3>* sums) {
  return Sum(place, blocks, /*onto=*/false, sums, FaintVisit{of, background, brightest});
}

}  // namespace deconvoy::worker::cuda
