#include "worker/imaging/gaussian.h"

#include <algorithm>
#include <cmath>

#include "proto/contract/simulation.h"
#include "worker/imaging/parallel.h"

namespace deconvoy::worker {
namespace {

std::vector<double> Weights(double fwhm_um, double voxel_um, int64_t extent) {
  const double sigma = SigmaOfFwhm(fwhm_um) / voxel_um;
  std::vector<double> weights(static_cast<size_t>(extent));
  double sum = 0;
  for (int64_t i = 0; i < extent; ++i) {
    const double d = static_cast<double>(i - extent / 2) / sigma;
    sum += weights[static_cast<size_t>(i)] = std::exp(-0.5 * d * d);
  }
  for (double& w : weights) w /= sum;
  return weights;
}

// `count` rows of `width` values, `stride` apart, blurred across the rows.
struct Rows {
  float* first;
  int64_t count, stride, width;
};

void BlurRows(const std::vector<double>& weights, const Rows& rows, bool periodic) {
  std::vector<float> source(static_cast<size_t>(rows.count * rows.width));
  for (int64_t i = 0; i < rows.count; ++i) {
    std::copy_n(rows.first + i * rows.stride, rows.width, source.begin() + i * rows.width);
  }
  const int64_t taps = static_cast<int64_t>(weights.size()), half = taps / 2;
  std::vector<double> sum(static_cast<size_t>(rows.width));
  for (int64_t i = 0; i < rows.count; ++i) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t from = i + half - tap;
      if (periodic) from = (from % rows.count + rows.count) % rows.count;
      if (from < 0 || from >= rows.count) continue;
      const double w = weights[static_cast<size_t>(tap)];
      const float* row = source.data() + from * rows.width;
      for (size_t k = 0; k < sum.size(); ++k) sum[k] += w * static_cast<double>(row[k]);
    }
    std::transform(sum.begin(), sum.end(), rows.first + i * rows.stride,
                   [](double v) { return static_cast<float>(v); });
  }
}

}  // namespace

GaussianPsf MakeGaussianPsf(const v1::VoxelSize& fwhm_um, const v1::VoxelSize& voxel_um, const Shape3& shape) {
  return {Weights(fwhm_um.z_um(), voxel_um.z_um(), shape.z), Weights(fwhm_um.y_um(), voxel_um.y_um(), shape.y),
          Weights(fwhm_um.x_um(), voxel_um.x_um(), shape.x)};
}

std::vector<float> GaussianPsf::Values() const {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(shape().voxels()));
  for (double a : z) {
    for (double b : y) {
      for (double c : x) values.push_back(static_cast<float>(a * b * c));
    }
  }
  return values;
}

void Blur(const GaussianPsf& psf, const Shape3& shape, bool periodic, int threads, std::span<float> values) {
  const int64_t plane = shape.y * shape.x;
  ParallelFor(threads, shape.z, [&](int64_t z) {
    float* first = values.data() + z * plane;
    for (int64_t y = 0; y < shape.y; ++y) BlurRows(psf.x, {first + y * shape.x, shape.x, 1, 1}, periodic);
    BlurRows(psf.y, {first, shape.y, shape.x, shape.x}, periodic);
  });
  ParallelFor(threads, shape.y, [&](int64_t y) {
    BlurRows(psf.z, {values.data() + y * shape.x, shape.z, plane, shape.x}, periodic);
  });
}

}  // namespace deconvoy::worker
