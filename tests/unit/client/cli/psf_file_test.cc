#include "client/cli/psf_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace deconvoy::client {
namespace {

constexpr Shape3 kShape{21, 25, 25};

// Twice as long along z as across.
std::vector<float> Blob() {
  std::vector<float> values;
  for (int64_t i = 0; i < kShape.voxels(); ++i) {
    const auto z = static_cast<double>(i / 625 - 10), y = static_cast<double>(i / 25 % 25 - 12),
               x = static_cast<double>(i % 25 - 12);
    values.push_back(static_cast<float>(std::exp(-(z * z / 9 + (y * y + x * x) / 2.25) / 2)));
  }
  return values;
}

double Held(const std::vector<float>& values, const Box3& box) {
  double held = 0;
  for (int64_t i = 0; i < kShape.voxels(); ++i) {
    const Voxel at{i / 625, i / 25 % 25, i % 25};
    if (box.Contains({at, {1, 1, 1}})) held += static_cast<double>(values[static_cast<size_t>(i)]);
  }
  return held / std::accumulate(values.begin(), values.end(), 0.0);
}

TEST(EnergyBox, HoldsTheLightAndIsNoLargerThanThat) {
  const std::vector<float> values = Blob();
  for (const double energy : {0.5, 0.9, 0.999}) {
    const Box3 box = EnergyBox(values, kShape, energy);
    EXPECT_GE(Held(values, box), energy);
    EXPECT_GT(box.shape.z, box.shape.x);
    EXPECT_EQ(box.shape.y, box.shape.x);
    EXPECT_EQ(box.origin.z + box.shape.z / 2, kShape.z / 2);
    EXPECT_EQ(box.origin.x + box.shape.x / 2, kShape.x / 2);
    Box3 smaller = box;
    smaller.origin.z += 1;
    smaller.shape.z -= 2;
    EXPECT_LT(Held(values, smaller), energy);
  }
}

TEST(EnergyBox, KeepsAllOfItForAllOfTheLight) {
  const std::vector<float> even(static_cast<size_t>(kShape.voxels()), 1);
  EXPECT_EQ(EnergyBox(even, kShape, 1), (Box3{{}, kShape}));
}

TEST(EnergyBox, ASinglePlaneStays) {
  std::vector<float> plane(25 * 25, 0);
  plane[12 * 25 + 12] = 1;
  EXPECT_EQ(EnergyBox(plane, {1, 25, 25}, 0.9), (Box3{{0, 12, 12}, {1, 1, 1}}));
}

}  // namespace
}  // namespace deconvoy::client
