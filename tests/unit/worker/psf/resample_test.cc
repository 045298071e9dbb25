#include "worker/psf/resample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace deconvoy::worker {
namespace {

// A Gaussian's means over voxels of `width` that lie `step` apart (both in old voxels), the origin at voxel `middle`.
std::vector<double> Line(int64_t extent, double middle, double step, double width, double sigma) {
  std::vector<double> line;
  for (int64_t i = 0; i < extent; ++i) {
    const double place = (static_cast<double>(i) - middle) * step, scale = 1 / (sigma * std::sqrt(2.0));
    line.push_back((std::erf((place + width / 2) * scale) - std::erf((place - width / 2) * scale)) / 2);
  }
  return line;
}

std::vector<float> Volume(const std::vector<double>& z, const std::vector<double>& y, const std::vector<double>& x) {
  std::vector<float> values;
  for (const double a : z) {
    for (const double b : y) {
      for (const double c : x) values.push_back(static_cast<float>(1000 * a * b * c));
    }
  }
  return values;
}

double Sum(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

constexpr Shape3 kShape{31, 41, 41};
constexpr Voxel kOrigin{15, 20, 18};

std::vector<float> Given() {
  return Volume(Line(31, 15, 1, 1, 3), Line(41, 20, 1, 1, 2.5), Line(41, 18, 1, 1, 2.5));
}

TEST(Resample, EqualVoxelsStayAsTheyAre) {
  EXPECT_EQ(Resample(Given(), kShape, kOrigin, {}), Given());
  EXPECT_EQ(ToldShape(kShape, kOrigin, {}), kShape);
}

TEST(Resample, TheOriginStaysAVoxelAndTheGridInside) {
  const PsfSteps steps{2, 0.5, 2.3};
  EXPECT_EQ(ToldOrigin(kOrigin, steps), (Voxel{7, 40, 7}));
  const Shape3 told = ToldShape(kShape, kOrigin, steps);
  EXPECT_EQ(told, (Shape3{15, 81, 17}));
  const Shape3 most = MostTold(kShape, steps);
  EXPECT_LE(told.z, most.z);
  EXPECT_LE(told.y, most.y);
  EXPECT_LE(told.x, most.x);
}

class ToOtherVoxels : public ::testing::TestWithParam<double> {};

TEST_P(ToOtherVoxels, AGaussianBecomesItsMeansOverThem) {
  const double step = GetParam();
  const PsfSteps steps{1, step, step};
  const Shape3 told = ToldShape(kShape, kOrigin, steps);
  const Voxel origin = ToldOrigin(kOrigin, steps);
  const std::vector<float> found = Resample(Given(), kShape, kOrigin, steps);
  ASSERT_EQ(found.size(), static_cast<size_t>(told.voxels()));
  // Finer voxels keep the mean over the old ones, which is all that is known.
  const double width = std::max(step, 1.0);
  std::vector<float> expected = Volume(Line(told.z, static_cast<double>(origin.z), 1, 1, 3),
                                       Line(told.y, static_cast<double>(origin.y), step, width, 2.5),
                                       Line(told.x, static_cast<double>(origin.x), step, width, 2.5));
  const double scale = Sum(found) / Sum(expected);
  const float peak = *std::max_element(found.begin(), found.end());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], static_cast<double>(expected[i]) * scale, 0.01 * static_cast<double>(peak)) << i;
  }
  EXPECT_NEAR(Sum(found), Sum(Given()), 1e-4 * Sum(found)) << "the sum is kept";
  EXPECT_EQ(std::max_element(found.begin(), found.end()) - found.begin(),
            (origin.z * told.y + origin.y) * told.x + origin.x);
}

INSTANTIATE_TEST_SUITE_P(Steps, ToOtherVoxels, ::testing::Values(0.4, 0.5, 0.77, 1.024, 1.3, 2.0, 2.6, 3.7));

TEST(Resample, ATiltStays) {
  // Each plane's centre lies 0.4 voxels further along x than that of the one before.
  std::vector<float> values;
  for (int64_t z = 0; z < kShape.z; ++z) {
    const double middle = 18 + 0.4 * static_cast<double>(z - kOrigin.z);
    const std::vector<float> plane =
        Volume({Line(31, 15, 1, 1, 3)[static_cast<size_t>(z)]}, Line(41, 20, 1, 1, 2), Line(41, middle, 1, 1, 2));
    values.insert(values.end(), plane.begin(), plane.end());
  }
  const PsfSteps steps{2, 1.5, 1.5};
  const Shape3 told = ToldShape(kShape, kOrigin, steps);
  const std::vector<float> found = Resample(values, kShape, kOrigin, steps);
  const auto centroid = [&](int64_t z) {
    double sum = 0, along = 0;
    for (int64_t i = 0; i < told.y * told.x; ++i) {
      const auto v = static_cast<double>(found[static_cast<size_t>(z * told.y * told.x + i)]);
      sum += v;
      along += v * static_cast<double>(i % told.x);
    }
    return along / sum;
  };
  const int64_t middle = ToldOrigin(kOrigin, steps).z;
  EXPECT_NEAR((centroid(middle + 3) - centroid(middle - 3)) / 6, 0.4 * 2 / 1.5, 0.02);
}

TEST(Resample, ASinglePlaneStaysOne) {
  const std::vector<float> plane = Volume({1}, Line(41, 20, 1, 1, 2), Line(41, 20, 1, 1, 2));
  const PsfSteps steps{1, 2, 2};
  EXPECT_EQ(ToldShape({1, 41, 41}, {0, 20, 20}, steps), (Shape3{1, 21, 21}));
  EXPECT_NEAR(Sum(Resample(plane, {1, 41, 41}, {0, 20, 20}, steps)), Sum(plane), 1e-3 * Sum(plane));
}

}  // namespace
}  // namespace deconvoy::worker
