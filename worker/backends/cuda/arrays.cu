// Whole arrays, voxel by voxel.
#include "worker/backends/cuda/kernels.h"

namespace deconvoy::worker::cuda {
namespace {

struct FillVisit {
  float* out;
  float value;
  DECONVOY_DEVICE void operator()(int64_t i) const { out[i] = value; }
};

struct ScaleVisit {
  float* values;
  float factor;
  DECONVOY_DEVICE void operator()(int64_t i) const { values[i] *= factor; }
};

struct ClampVisit {
  float* values;
  float floor, ceiling;
  DECONVOY_DEVICE void operator()(int64_t i) const {
    const float raised = AtLeast(values[i], floor);
    values[i] = raised > ceiling ? ceiling : raised;
  }
};

struct CopyVisit {
  Field from, to;
  Voxel origin;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    to.at(origin.z + z, origin.y + y, origin.x + x) = from.at(origin.z + z, origin.y + y, origin.x + x);
  }
};

// a b - c with both results rounded, as the host does it: the compiler must not make one operation of them.
DECONVOY_DEVICE double TimesLess(double a, double b, double c) {
#ifdef __CUDA_ARCH__
  return __dsub_rn(__dmul_rn(a, b), c);
#else
  return a * b - c;
#endif
}

struct CountsVisit {
  Counts counts;
  Box3 box;
  Field to;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const int64_t i = (z * box.shape.y + y) * box.shape.x + x;
    const double count = counts.bytes == 1 ? static_cast<const uint8_t*>(counts.counts)[i]
                                           : static_cast<const uint16_t*>(counts.counts)[i];
    const auto p = static_cast<float>(TimesLess(count - counts.offset, counts.gain, counts.dark));
    const double raised = static_cast<double>(p) + counts.raise;
    to.at(box.origin.z + z, box.origin.y + y, box.origin.x + x) = static_cast<float>(raised < 0 ? 0.0 : raised);
  }
};

struct CombineVisit {
  Field a, b;
  float alpha, beta;
  DECONVOY_DEVICE void operator()(int64_t dz, int64_t dy, int64_t dx) const {
    const int64_t z = a.origin.z + dz, y = a.origin.y + dy, x = a.origin.x + dx;
    float& value = a.at(z, y, x);
    value = alpha * value + beta * b.at(z, y, x);
  }
};

struct ReduceVisit {
  Field array;
  Voxel origin;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x, Extremes& sums) const {
    const float v = array.at(origin.z + z, origin.y + y, origin.x + x);
    if (v - v == 0) {
      sums.Add({v, 0, v, v});
    } else {
      sums.not_finite += 1;
    }
  }
};

struct DotVisit {
  Field a, b;
  Voxel origin;
  DECONVOY_DEVICE void operator()(int64_t dz, int64_t dy, int64_t dx, Totals<1>& sums) const {
    const int64_t z = origin.z + dz, y = origin.y + dy, x = origin.x + dx;
    sums.value[0] += static_cast<double>(a.at(z, y, x)) * b.at(z, y, x);
  }
};

struct SquaresVisit {
  Field y, mask;
  float background;
  DECONVOY_DEVICE void operator()(int64_t dz, int64_t dy, int64_t dx, Totals<1>& sums) const {
    const int64_t k = y.origin.z + dz, j = y.origin.y + dy, i = y.origin.x + dx;
    const float m = mask.data != nullptr ? mask.at(k, j, i) : 1.0F;
    const float residual = y.at(k, j, i) - background;
    if (m != 0) sums.value[0] += m * (static_cast<double>(residual) * residual);
  }
};

}  // namespace

int RunFill(const LaunchPlace& place, float value, int64_t n, float* out) {
  return ForEachOf(place, n, FillVisit{out, value});
}

int RunScale(const LaunchPlace& place, float factor, int64_t n, float* values) {
  return ForEachOf(place, n, ScaleVisit{values, factor});
}

int RunClamp(const LaunchPlace& place, float floor, float ceiling, int64_t n, float* values) {
  return ForEachOf(place, n, ClampVisit{values, floor, ceiling});
}

int RunCopy(const LaunchPlace& place, const Field& from, const Box3& box, const Field& to) {
  return ForEach(place, box.shape, CopyVisit{from, to, box.origin});
}

int RunCounts(const LaunchPlace& place, const Counts& counts, const Box3& box, const Field& to) {
  return ForEach(place, box.shape, CountsVisit{counts, box, to});
}

int RunCombine(const LaunchPlace& place, const Field& a, float alpha, const Field& b, float beta) {
  return ForEach(place, a.shape, CombineVisit{a, b, alpha, beta});
}

int RunReduce(const LaunchPlace& place, const Field& array, const Box3& box, Extremes* sums) {
  return Sum(place, box.shape, /*onto=*/false, sums, ReduceVisit{array, box.origin});
}

int RunDot(const LaunchPlace& place, const Field& a, const Field& b, const Box3& box, Totals<1>* sums) {
  return Sum(place, box.shape, /*onto=*/false, sums, DotVisit{a, b, box.origin});
}

int RunSquares(const LaunchPlace& place, const Field& y, const Field& mask, float background, Totals<1>* sums) {
  return Sum(place, y.shape, /*onto=*/false, sums, SquaresVisit{y, mask, background});
}

}  // namespace deconvoy::worker::cuda
