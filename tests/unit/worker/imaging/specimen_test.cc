#include "worker/imaging/specimen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "proto/contract/checksum.h"

namespace deconvoy::worker {
namespace {

constexpr Shape3 kShape{32, 64, 64};

std::vector<float> Draw(v1::SpecimenKind kind, uint64_t seed = 1, double z_spacing = 2.5) {
  return DrawSpecimen({.shape = kShape, .kind = kind, .seed = seed, .z_spacing = z_spacing});
}

uint32_t Checksum(const std::vector<float>& values) {
  return Crc32c(std::as_bytes(std::span(values)));
}

class EveryKind : public ::testing::TestWithParam<std::pair<v1::SpecimenKind, uint32_t>> {};

TEST_P(EveryKind, IsFiniteNotNegativeAndNeitherEmptyNorFull) {
  const std::vector<float> values = Draw(GetParam().first);
  int64_t lit = 0;
  for (float v : values) {
    ASSERT_TRUE(std::isfinite(v));
    ASSERT_GE(v, 0);
    lit += v > 0;
  }
  EXPECT_GT(lit, 0);
  EXPECT_LT(lit, kShape.voxels() * 3 / 4);
}

// The bits are the same on any machine.
TEST_P(EveryKind, IsAlwaysTheSame) {
  EXPECT_EQ(Checksum(Draw(GetParam().first)), GetParam().second);
}

TEST_P(EveryKind, DependsOnTheSeed) {
  EXPECT_NE(Checksum(Draw(GetParam().first, 1)), Checksum(Draw(GetParam().first, 2)));
}

TEST_P(EveryKind, WorksInAnyShape) {
  for (const Shape3& shape : {Shape3{1, 1, 1}, {1, 64, 64}, {5, 3, 2}, {64, 8, 8}}) {
    const std::vector<float> values = DrawSpecimen({.shape = shape, .kind = GetParam().first, .seed = 3});
    ASSERT_EQ(static_cast<int64_t>(values.size()), shape.voxels());
    EXPECT_GT(*std::max_element(values.begin(), values.end()), 0);
  }
}

TEST_P(EveryKind, OfAWindowIsThatOfTheFrameThere) {
  SpecimenRequest request{.shape = kShape, .kind = GetParam().first, .seed = 1, .z_spacing = 2.5};
  const std::vector<float> frame = DrawSpecimen(request);
  request.window = {{5, 20, 9}, {20, 30, 40}};
  const std::vector<float> window = DrawSpecimen(request);
  ASSERT_EQ(static_cast<int64_t>(window.size()), request.window.shape.voxels());
  EXPECT_GT(*std::max_element(window.begin(), window.end()), 0);
  for (int64_t z = 0; z < 20; ++z) {
    for (int64_t y = 0; y < 30; ++y) {
      for (int64_t x = 0; x < 40; ++x) {
        ASSERT_EQ(window[static_cast<size_t>((z * 30 + y) * 40 + x)],
                  frame[static_cast<size_t>(((z + 5) * 64 + y + 20) * 64 + x + 9)])
            << z << ' ' << y << ' ' << x;
      }
    }
  }
}

TEST(MixedSpecimen, GoesWithoutWhatIsLeftOut) {
  using enum v1::SpecimenKind;
  SpecimenRequest mixed{.shape = kShape, .kind = MIXED, .seed = 1, .z_spacing = 2.5};
  const std::vector<float> whole = DrawSpecimen(mixed);
  mixed.left_out = {FILAMENTS, SHELLS, BEADS, POINTS};  // which are drawn after the nuclei
  const std::vector<float> nuclei = DrawSpecimen(mixed);
  for (size_t i = 0; i < whole.size(); ++i) ASSERT_LE(nuclei[i], whole[i]) << i;
  mixed.left_out = {NUCLEI, FILAMENTS, SHELLS, BEADS};
  const auto lit = [](const std::vector<float>& v) { return std::ranges::count_if(v, [](float x) { return x > 0; }); };
  EXPECT_LT(lit(nuclei), lit(whole));
  EXPECT_LT(lit(DrawSpecimen(mixed)), lit(whole) / 20) << "single voxels alone";
  mixed.kind = FILAMENTS;
  EXPECT_EQ(DrawSpecimen(mixed), Draw(FILAMENTS)) << "only mixtures go without";
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind,
                         ::testing::Values(std::pair{v1::MIXED, 2105325283U}, std::pair{v1::FILAMENTS, 4086884689U},
                                           std::pair{v1::SHELLS, 2484465878U}, std::pair{v1::BEADS, 2976084463U},
                                           std::pair{v1::POINTS, 979938750U}, std::pair{v1::NUCLEI, 323535568U}));

TEST(Specimen, PointsComeInPairsAtKnownDistances) {
  const std::vector<float> values = Draw(v1::POINTS);
  std::vector<Voxel> points;
  for (int64_t i = 0; i < kShape.voxels(); ++i) {
    if (values[static_cast<size_t>(i)] > 0) points.push_back({i / (64 * 64), i / 64 % 64, i % 64});
  }
  ASSERT_GE(points.size(), 8U);
  // Every point has its partner 2 to 8 voxels away along one axis, and nothing else is as near.
  for (const Voxel& p : points) {
    const auto partners = std::count_if(points.begin(), points.end(), [&](const Voxel& q) {
      const Voxel d = p - q;
      const int axes = (d.z != 0) + (d.y != 0) + (d.x != 0);
      const int64_t distance = std::abs(d.z) + std::abs(d.y) + std::abs(d.x);
      return axes == 1 && distance <= 8;
    });
    EXPECT_EQ(partners, 1) << p.z << ' ' << p.y << ' ' << p.x;
  }
}

// A bead is round in space: half as many planes as columns where planes are twice as far apart.
TEST(Specimen, StructuresKeepTheirShapeInSpace) {
  const Shape3 shape{65, 65, 65};
  const auto spread = [&](double z_spacing) {
    const std::vector<float> v = DrawSpecimen({.shape = shape, .kind = v1::SHELLS, .seed = 8, .z_spacing = z_spacing});
    int64_t planes = 0;
    for (int64_t z = 0; z < shape.z; ++z) {
      planes += *std::max_element(v.begin() + z * 65 * 65, v.begin() + (z + 1) * 65 * 65) > 0;
    }
    return planes;
  };
  EXPECT_GT(spread(1), 1.5 * static_cast<double>(spread(3)));
}

}  // namespace
}  // namespace deconvoy::worker
