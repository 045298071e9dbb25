#include "worker/executor/self_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "tests/unit/worker/support/damaged_backend.h"
#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::worker {
namespace {

// Circular convolution in double precision by the definition, the PSF mirrored for the adjoint.
std::vector<double> Convolve(const std::vector<double>& image, const SelfTestPhantom& phantom, bool adjoint) {
  const Shape3 n = phantom.shape, p = phantom.psf_shape;
  const auto wrap = [](int64_t i, int64_t extent) { return (i % extent + extent) % extent; };
  std::vector<double> result(image.size());
  for (int64_t i = 0; i < n.voxels(); ++i) {
    const Voxel at{i / (n.y * n.x), i / n.x % n.y, i % n.x};
    double sum = 0;
    for (int64_t k = 0; k < p.voxels(); ++k) {
      Voxel d{k / (p.y * p.x) - p.z / 2, k / p.x % p.y - p.y / 2, k % p.x - p.x / 2};
      if (adjoint) d = Voxel{} - d;
      const Voxel from{wrap(at.z - d.z, n.z), wrap(at.y - d.y, n.y), wrap(at.x - d.x, n.x)};
      sum += phantom.psf[static_cast<size_t>(k)] * image[static_cast<size_t>((from.z * n.y + from.y) * n.x + from.x)];
    }
    result[static_cast<size_t>(i)] = sum;
  }
  return result;
}

TEST(SelfTest, StoredPeakIsThatOfADoublePrecisionComputation) {
  const SelfTestPhantom phantom = MakeSelfTestPhantom();
  double mean = 0;
  for (float v : phantom.measured) mean += v / static_cast<double>(phantom.measured.size());
  std::vector<double> x(phantom.measured.size(), mean);
  for (int k = 0; k < phantom.iterations; ++k) {
    std::vector<double> ratio = Convolve(x, phantom, false);
    for (size_t i = 0; i < ratio.size(); ++i) {
      ratio[i] = phantom.measured[i] / (ratio[i] + static_cast<double>(phantom.background));
    }
    const std::vector<double> factor = Convolve(ratio, phantom, true);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= factor[i];
  }
  const double peak = *std::max_element(x.begin(), x.end());
  EXPECT_NEAR(kSelfTestPeak / peak, 1, 1e-6) << "the peak is " << std::to_string(peak);
}

TEST(SelfTest, PassesOnTheCpu) {
  const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  const v1::SelfTestReport report = RunSelfTest(*backend);
  EXPECT_TRUE(report.passed()) << report.message();
  EXPECT_GT(report.padded_voxel_iterations_per_second(), 1e5);
}

TEST(SelfTest, FailsOnNaN) {
  testing::DamagedBackend backend([](std::span<float> values) { values[7] = NAN; });
  const v1::SelfTestReport report = RunSelfTest(backend);
  EXPECT_FALSE(report.passed());
  EXPECT_NE(report.message().find("NaN"), std::string::npos) << report.message();
}

TEST(SelfTest, FailsOnZerosAndOnWrongScale) {
  testing::DamagedBackend zeros([](std::span<float> values) { std::fill(values.begin(), values.end(), 0.0F); });
  EXPECT_FALSE(RunSelfTest(zeros).passed());
  testing::DamagedBackend brighter([](std::span<float> values) {
    for (float& v : values) v *= 1.01F;
  });
  EXPECT_FALSE(RunSelfTest(brighter).passed());
}

}  // namespace
}  // namespace deconvoy::worker
