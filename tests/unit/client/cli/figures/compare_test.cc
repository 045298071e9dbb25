#include "client/cli/figures/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/cli/figures/memory_image.h"

namespace deconvoy::client::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr Shape5 kShape{2, 2, 3, 13, 17};

std::vector<float> Noise(int64_t count, uint64_t seed, float low = 0, float high = 1000) {
  std::mt19937_64 random(::deconvoy::testing::Seed() + seed);
  std::uniform_real_distribution<float> value(low, high);
  std::vector<float> values(static_cast<size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return value(random); });
  return values;
}

template <typename F>
std::vector<float> Map(std::vector<float> values, F function) {
  std::transform(values.begin(), values.end(), values.begin(), function);
  return values;
}

double Range(const std::vector<float>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return static_cast<double>(*high) - *low;
}

ComparisonFigures Figures(const std::vector<float>& a, const std::vector<float>& b, const Shape5& shape = kShape) {
  MemoryImage<float> image_a(shape, a), image_b(shape, b);
  const auto figures = Compare(image_a, image_b);
  EXPECT_TRUE(figures.ok()) << figures.status().ToString();
  return figures.ok() ? *figures : ComparisonFigures{};
}

// The index written down as in the paper, window by window, in two dimensions.
double NaiveSsim(const std::vector<float>& a, const std::vector<float>& b, const Shape5& shape) {
  const double c1 = std::pow(0.01 * Range(b), 2), c2 = std::pow(0.03 * Range(b), 2);
  const int64_t planes = shape.frames() * shape.z, h = shape.y, w = shape.x;
  double total = 0;
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t y = 0; y < h; ++y) {
      for (int64_t x = 0; x < w; ++x) {
        double weights = 0, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
        for (int pass = 0; pass < 2; ++pass) {
          for (int64_t v = std::max<int64_t>(0, y - 5); v <= std::min(h - 1, y + 5); ++v) {
            for (int64_t u = std::max<int64_t>(0, x - 5); u <= std::min(w - 1, x + 5); ++u) {
              const double weight =
                  std::exp(-static_cast<double>((v - y) * (v - y) + (u - x) * (u - x)) / (2 * 1.5 * 1.5));
              const auto i = static_cast<size_t>((p * h + v) * w + u);
              if (pass == 0) {
                weights += weight;
                ma += weight * a[i];
                mb += weight * b[i];
              } else {
                aa += weight * (a[i] - ma) * (a[i] - ma);
                bb += weight * (b[i] - mb) * (b[i] - mb);
                ab += weight * (a[i] - ma) * (b[i] - mb);
              }
            }
          }
          if (pass == 0) {
            ma /= weights;
            mb /= weights;
          }
        }
        total += (2 * ma * mb + c1) * (2 * ab / weights + c2) /
                 ((ma * ma + mb * mb + c1) * (aa / weights + bb / weights + c2));
      }
    }
  }
  return total / static_cast<double>(planes * h * w);
}

TEST(Compare, EqualStacks) {
  const std::vector<float> b = Noise(kShape.voxels(), 1);
  const ComparisonFigures figures = Figures(b, b);
  EXPECT_EQ(figures.nrmse, 0);
  EXPECT_EQ(figures.relative_l2, 0);
  EXPECT_EQ(figures.psnr, std::numeric_limits<double>::infinity());
  EXPECT_NEAR(figures.ssim, 1, 1e-12);
  EXPECT_NEAR(figures.ncc, 1, 1e-12);
  EXPECT_EQ(figures.max_abs, 0);
  EXPECT_EQ(figures.flux_ratio, 1);
}

TEST(Compare, AConstantAdded) {
  // Whole numbers, so that the sum is exact in single precision.
  const std::vector<float> b = Map(Noise(kShape.voxels(), 2), [](float value) { return std::floor(value); });
  const ComparisonFigures figures = Figures(Map(b, [](float value) { return value + 5; }), b);
  EXPECT_NEAR(figures.nrmse, 5 / Range(b), 1e-12);
  EXPECT_NEAR(figures.psnr, 20 * std::log10(Range(b) / 5), 1e-9);
  EXPECT_NEAR(figures.ncc, 1, 1e-12);
  EXPECT_EQ(figures.max_abs, 5);
}

TEST(Compare, NothingIsRescaled) {
  const std::vector<float> b = Noise(kShape.voxels(), 3);
  const ComparisonFigures twice = Figures(Map(b, [](float value) { return 2 * value; }), b);
  EXPECT_NEAR(twice.flux_ratio, 2, 1e-12);
  EXPECT_NEAR(twice.relative_l2, 1, 1e-12);
  EXPECT_NEAR(twice.ncc, 1, 1e-12);
  EXPECT_LT(twice.ssim, 0.9);
  const ComparisonFigures negative = Figures(Map(b, [](float value) { return -value; }), b);
  EXPECT_NEAR(negative.flux_ratio, -1, 1e-12);
  EXPECT_NEAR(negative.ncc, -1, 1e-12);
}

TEST(Compare, OneVoxelThatDiffers) {
  std::vector<float> b(static_cast<size_t>(kShape.voxels()), 10), a = b;
  b[0] = a[0] = 110;  // the range of the reference
  a[777] += 40;
  const ComparisonFigures figures = Figures(a, b);
  const auto count = static_cast<double>(kShape.voxels());
  EXPECT_EQ(figures.max_abs, 40);
  EXPECT_NEAR(figures.nrmse, 40 / std::sqrt(count) / 100, 1e-12);
  EXPECT_NEAR(figures.relative_l2, 40 / std::sqrt(110.0 * 110 + (count - 1) * 100), 1e-12);
  EXPECT_NEAR(figures.flux_ratio, 1 + 40 / (110 + (count - 1) * 10), 1e-12);
}

TEST(Compare, TheReferenceIsTheSecond) {
  const std::vector<float> b = Noise(kShape.voxels(), 4),
                           a = Map(Noise(kShape.voxels(), 5), [](float value) { return 3 * value; });
  const ComparisonFigures forth = Figures(a, b), back = Figures(b, a);
  EXPECT_NEAR(forth.nrmse * Range(b), back.nrmse * Range(a), 1e-9);
  EXPECT_NEAR(forth.flux_ratio * back.flux_ratio, 1, 1e-12);
  EXPECT_NEAR(forth.ncc, back.ncc, 1e-12);
}

TEST(Compare, CorrelationSurvivesALargeOffset) {
  const std::vector<float> b = Noise(kShape.voxels(), 6, 0, 1), noise = Noise(kShape.voxels(), 7, 0, 1);
  std::vector<float> a(b.size()), far_a(b.size()), far_b(b.size());
  for (size_t i = 0; i < b.size(); ++i) {
    a[i] = std::floor(256 * (b[i] + noise[i]));
    far_a[i] = a[i] + 8e6F;
    far_b[i] = std::floor(256 * b[i]) + 8e6F;
  }
  const std::vector<float> whole = Map(b, [](float value) { return std::floor(256 * value); });
  EXPECT_NEAR(Figures(far_a, far_b).ncc, Figures(a, whole).ncc, 1e-9);
}

TEST(Compare, SsimAsInThePaper) {
  const std::vector<Shape5> shapes{kShape, {1, 1, 1, 1, 1}, {1, 1, 2, 3, 40}, {1, 1, 1, 32, 32}};
  for (const Shape5& shape : shapes) {
    const std::vector<float> noise = Noise(shape.voxels(), 8, -100, 100);
    std::vector<float> b = Noise(shape.voxels(), 9), a = b;
    if (b.size() == 1) b[0] += 1;
    for (size_t i = 0; i < a.size(); ++i) a[i] += noise[i];
    if (Range(b) == 0) continue;
    EXPECT_NEAR(Figures(a, b, shape).ssim, NaiveSsim(a, b, shape), 1e-9) << shape.y << " x " << shape.x;
  }
}

TEST(Compare, FiguresWithoutMeaningAreNaN) {
  const std::vector<float> constant(static_cast<size_t>(kShape.voxels()), 0), a = Noise(kShape.voxels(), 10);
  const ComparisonFigures figures = Figures(a, constant);
  EXPECT_TRUE(std::isnan(figures.nrmse));
  EXPECT_TRUE(std::isnan(figures.psnr));
  EXPECT_TRUE(std::isnan(figures.ncc));
  EXPECT_TRUE(std::isnan(figures.flux_ratio));
  EXPECT_GT(figures.max_abs, 0);
}

TEST(Compare, TypesMayDiffer) {
  MemoryImage<uint8_t> a({1, 1, 1, 1, 4}, {0, 10, 20, 255});
  MemoryImage<uint16_t> b({1, 1, 1, 1, 4}, {0, 10, 20, 1000});
  ASSERT_OK_AND_ASSIGN(const ComparisonFigures figures, Compare(a, b));
  EXPECT_EQ(figures.max_abs, 745);
  EXPECT_NEAR(figures.flux_ratio, 285.0 / 1030, 1e-12);
}

TEST(Compare, VoxelsThatAreNotFiniteAreNamed) {
  const std::vector<float> good = Noise(kShape.voxels(), 11);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> bad = good;
    // t 1, c 0, z 2, y 4, x 5
    bad[static_cast<size_t>((((1 * 2 + 0) * 3 + 2) * 13 + 4) * 17 + 5)] = value;
    MemoryImage<float> a(kShape, bad, "bad.tif"), b(kShape, good, "good.tif");
    for (const absl::Status& status : {Compare(a, b).status(), Compare(b, a).status()}) {
      EXPECT_EQ(ReasonOf(status), v1::NOT_FINITE_INPUT);
      EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("bad.tif"), HasSubstr("1,0,2,4,5")));
    }
  }
}

TEST(Compare, ShapesThatDifferAreRefusedSayingBoth) {
  MemoryImage<float> a({1, 1, 2, 3, 4}, std::vector<float>(24), "a.tif"),
      b({1, 2, 1, 3, 4}, std::vector<float>(24), "b.tif");
  const absl::Status status = Compare(a, b).status();
  EXPECT_EQ(ReasonOf(status), v1::SHAPE_MISMATCH);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("a.tif has 1,1,2,3,4"), HasSubstr("b.tif has 1,2,1,3,4")));
}

}  // namespace
}  // namespace deconvoy::client::testing
