#include "worker/pipeline/preview.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "proto/contract/preview.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

// Voxel by voxel.
std::vector<float> Expected(const std::vector<float>& core, const Box3& box, int64_t step) {
  const Box3 pixels = PreviewPixels(box, step);
  std::vector<float> maximum(static_cast<size_t>(pixels.shape.voxels()), -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (int64_t z = 0; z < box.shape.z; ++z) {
    for (int64_t y = 0; y < box.shape.y; ++y) {
      for (int64_t x = 0; x < box.shape.x; ++x, ++i) {
        const int64_t row = (box.origin.y + y) / step - pixels.origin.y;
        const int64_t column = (box.origin.x + x) / step - pixels.origin.x;
        float& pixel = maximum[static_cast<size_t>(row * pixels.shape.x + column)];
        pixel = std::max(pixel, core[i]);
      }
    }
  }
  return maximum;
}

TEST(PreviewProjectionTest, IsTheMaximumOfThePixelsVoxelsOverAllPlanes) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  for (int round = 0; round < 50; ++round) {
    const auto number = [&](int64_t below) { return static_cast<int64_t>(random() % static_cast<uint64_t>(below)); };
    const Box3 box{{number(5), number(20), number(20)}, {1 + number(4), 1 + number(20), 1 + number(20)}};
    const int64_t step = 1 + number(6);
    std::vector<float> core(static_cast<size_t>(box.shape.voxels()));
    for (float& voxel : core) voxel = static_cast<float>(number(60'000)) - 30'000;
    PreviewProjection projection(box, step);
    const auto plane = static_cast<size_t>(box.shape.y * box.shape.x);
    for (size_t at = 0; at < core.size(); at += plane) {
      projection.AddPlane(std::as_bytes(std::span(core).subspan(at, plane)), v1::F32);
    }
    const v1::PreviewPart part = projection.Part();
    const Box3 pixels = PreviewPixels(box, step);
    EXPECT_EQ(part.y(), pixels.origin.y);
    EXPECT_EQ(part.x(), pixels.origin.x);
    EXPECT_EQ(part.size_y(), pixels.shape.y);
    EXPECT_EQ(part.size_x(), pixels.shape.x);
    EXPECT_EQ(std::vector<float>(part.maximum().begin(), part.maximum().end()), Expected(core, box, step));
  }
}

TEST(PreviewProjectionTest, TakesWhatIsStored) {
  PreviewProjection projection({{0, 0, 0}, {1, 1, 3}}, 2);
  projection.AddPlane(testing::AsBytes<uint16_t>({7, 60'000, 5}), v1::U16);
  const v1::PreviewPart part = projection.Part();
  EXPECT_EQ(std::vector<float>(part.maximum().begin(), part.maximum().end()), (std::vector<float>{60'000, 5}));
}

TEST(PreviewProjectionTest, WithoutAStepThereIsNone) {
  PreviewProjection projection({{0, 0, 0}, {1, 2, 2}}, 0);
  projection.AddPlane(testing::AsBytes<float>({1, 2, 3, 4}), v1::F32);
  EXPECT_EQ(projection.Part().ByteSizeLong(), 0U);
}

}  // namespace
}  // namespace deconvoy::worker
