#include "worker/imaging/gaussian.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/unit/contract/voxel_size.h"

namespace deconvoy::worker {
namespace {

const GaussianPsf& Psf() {
  static const GaussianPsf psf = MakeGaussianPsf(Size(0.6, 0.2, 0.3), Size(0.2, 0.1, 0.1), {9, 7, 11});
  return psf;
}

double Sum(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

TEST(GaussianPsf, HasSumOneAndItsFullWidthAtHalfMaximum) {
  const std::vector<float> values = Psf().Values();
  EXPECT_NEAR(Sum(values), 1, 1e-6);
  const auto at = [&](int64_t z, int64_t y, int64_t x) {
    return values[static_cast<size_t>(((z + 4) * 7 + y + 3) * 11 + x + 5)];
  };
  const float top = at(0, 0, 0);
  EXPECT_NEAR(at(0, 1, 0) / top, 0.5, 1e-6);  // 0.1 um is half of 0.2 um
  EXPECT_EQ(at(2, -1, 3), at(-2, 1, -3));
  EXPECT_GT(at(0, 0, 1) / top, 0.5);
  EXPECT_LT(at(0, 0, 2) / top, 0.5);
}

TEST(Blur, OfAPointIsThePsf) {
  const Shape3 shape{13, 15, 17};
  std::vector<float> image(static_cast<size_t>(shape.voxels()));
  image[static_cast<size_t>((6 * 15 + 7) * 17 + 8)] = 1;
  Blur(Psf(), shape, false, 2, image);
  const std::vector<float> values = Psf().Values();
  for (int64_t z = 0; z < 9; ++z) {
    for (int64_t y = 0; y < 7; ++y) {
      for (int64_t x = 0; x < 11; ++x) {
        ASSERT_NEAR(image[static_cast<size_t>(((z + 2) * 15 + y + 4) * 17 + x + 3)],
                    values[static_cast<size_t>((z * 7 + y) * 11 + x)], 1e-8);
      }
    }
  }
}

TEST(Blur, KeepsTheLightWhenPeriodicAndLosesItAtTheFacesOtherwise) {
  const Shape3 shape{4, 5, 6};  // smaller than the PSF: it wraps around more than once
  std::vector<float> image(static_cast<size_t>(shape.voxels()));
  image[0] = 100;
  std::vector<float> open = image;
  Blur(Psf(), shape, true, 1, image);
  EXPECT_NEAR(Sum(image), 100, 1e-4);
  Blur(Psf(), shape, false, 1, open);
  EXPECT_LT(Sum(open), 50);
  EXPECT_GT(Sum(open), 10);
}

TEST(Blur, DoesNotDependOnTheNumberOfThreads) {
  const Shape3 shape{9, 14, 16};
  std::vector<float> one(static_cast<size_t>(shape.voxels()));
  for (size_t i = 0; i < one.size(); ++i) one[i] = static_cast<float>(i * 7919 % 101);
  std::vector<float> four = one;
  Blur(Psf(), shape, false, 1, one);
  Blur(Psf(), shape, false, 4, four);
  EXPECT_EQ(one, four);
}

}  // namespace
}  // namespace deconvoy::worker
