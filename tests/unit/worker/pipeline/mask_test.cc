#include "worker/pipeline/mask.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

using testing::AsBytes;
using testing::MemoryTask;

// What MaskReader makes of two planes of three voxels, of channel 1 and time point 4 of the image.
std::vector<float> Masks(const v1::VolumeAccess* mask, MemoryTask& task, double saturation,
                         std::vector<float>& counts) {
  MaskReader reader(task.source(), mask, saturation, {4, 1, {{0, 0, 0}, {2, 1, 3}}});
  std::vector<float> all;
  for (int64_t z = 0; z < 2; ++z) {
    const auto m = reader.Read(z, 7, std::span(counts).subspan(static_cast<size_t>(3 * z), 3));
    EXPECT_OK(m);
    all.insert(all.end(), m->begin(), m->end());
  }
  return all;
}

TEST(MaskTest, NothingMasksWithoutVolumeAndLimit) {
  MemoryTask task;
  std::vector<float> counts = {1, 2, 3, 4, 5, 6};
  EXPECT_TRUE(Masks(nullptr, task, 0, counts).empty());
}

TEST(MaskTest, ZerosOfTheVolumeAndSaturationDoNotCount) {
  MemoryTask task;
  task.AddInput("volumes/mask", {1, 1, 2, 1, 3}, v1::U8, AsBytes<uint8_t>({1, 0, 255, 1, 1, 0}));
  std::vector<float> counts = {1, NAN, 50, 49, 70, 60};
  EXPECT_EQ(Masks(&task.task.inputs(0), task, 50, counts), (std::vector<float>{1, 0, 0, 1, 0, 0}));
  EXPECT_EQ(counts, (std::vector<float>{1, 7, 50, 49, 50, 7})) << "filled, and cut off at the limit";
}

TEST(MaskTest, AVolumeMayHaveAChannelForEach) {
  MemoryTask task;
  task.AddInput("volumes/mask", {1, 2, 2, 1, 3}, v1::U8, AsBytes<uint8_t>({1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0}));
  std::vector<float> counts(6, 1);
  EXPECT_EQ(Masks(&task.task.inputs(0), task, 0, counts), (std::vector<float>{0, 1, 1, 1, 1, 0}));
}

}  // namespace
}  // namespace deconvoy::worker
