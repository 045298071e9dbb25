#include "worker/pipeline/region_correction.h"

#include <gtest/gtest.h>

#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

using testing::MemoryTask;

constexpr FrameBox kRegion{2, 1, {{1, 1, 2}, {2, 2, 2}}};  // of planes of 4 rows and 5 columns

v1::ChannelFacts SomeChannel() {
  v1::ChannelFacts channel;
  for (const uint32_t pixel : {0U, 7U, 13U, 14U, 17U}) channel.add_bad_pixels(pixel);
  channel.set_flat_field_mean(4);
  channel.set_flat_field_maximum(8);
  return channel;
}

TEST(RegionCorrectionTest, BadPixelsAreThoseOfTheRegion) {
  MemoryTask task;
  v1::DeconvolveSpec spec;
  const v1::ChannelFacts channel = SomeChannel();
  ASSERT_OK_AND_ASSIGN(const RegionCorrection correction,
                       CorrectionOf({.spec = &spec, .channel = &channel, .columns = 5}, kRegion, task.source()));
  EXPECT_EQ(correction.bad_pixels, (std::vector<size_t>{0, 3})) << "7 is (1, 2), 13 is (2, 3)";
  EXPECT_TRUE(correction.masks());
}

TEST(RegionCorrectionTest, VoxelsWeighOnlyWhereTheyNeedNotCount) {
  MemoryTask task;
  v1::DeconvolveSpec spec;
  const v1::ChannelFacts channel = SomeChannel();
  for (const v1::Boundary boundary : {v1::PERIODIC, v1::MIRROR}) {
    spec.set_boundary(boundary);
    ASSERT_OK_AND_ASSIGN(const RegionCorrection correction,
                         CorrectionOf({.spec = &spec, .channel = &channel, .columns = 5}, kRegion, task.source()));
    EXPECT_EQ(correction.bad_pixels.size(), 2U);
    EXPECT_FALSE(correction.masks());
  }
}

TEST(RegionCorrectionTest, TheFlatFieldIsReadForTheRegionAndScaledByAllOfIt) {
  MemoryTask task;
  std::vector<float> flat(2 * 20);
  for (size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<float>(i);
  task.AddInput("volumes/flat", {1, 2, 1, 4, 5}, flat);
  task.AddInput("volumes/one", {1, 1, 1, 4, 5}, flat);
  v1::DeconvolveSpec spec;
  const v1::ChannelFacts channel = SomeChannel();
  CorrectionInputs inputs{.spec = &spec, .flat = &task.task.inputs(0), .channel = &channel, .columns = 5};
  ASSERT_OK_AND_ASSIGN(const RegionCorrection of_two, CorrectionOf(inputs, kRegion, task.source()));
  EXPECT_EQ(of_two.light.flat, (std::vector<float>{27 / 4.0F, 28 / 4.0F, 32 / 4.0F, 33 / 4.0F}));
  EXPECT_EQ(of_two.light.flat_maximum, 2);
  inputs.flat = &task.task.inputs(1);
  ASSERT_OK_AND_ASSIGN(const RegionCorrection of_one, CorrectionOf(inputs, kRegion, task.source()));
  EXPECT_EQ(of_one.light.flat.front(), 7 / 4.0F) << "one channel for all";
}

TEST(RegionCorrectionTest, LightIsThatOfTheRegionsPlanes) {
  MemoryTask task;
  v1::DeconvolveSpec spec;
  v1::FrameStatistics frame;
  frame.set_background(3);
  for (const float light : {1.0F, 0.9F, 0.8F, 0.7F}) frame.add_plane_light(light);
  ASSERT_OK_AND_ASSIGN(const RegionCorrection correction,
                       CorrectionOf({.spec = &spec, .frame = &frame, .columns = 5}, kRegion, task.source()));
  EXPECT_EQ(correction.light.light, (std::vector<float>{0.9F, 0.8F}));
  EXPECT_EQ(correction.light.light_maximum, 1);
  EXPECT_EQ(correction.light.background, 3);
  EXPECT_TRUE(correction.masks());
}

TEST(RegionCorrectionTest, BackgroundsAreThoseOfTheRegionsPlanes) {
  MemoryTask task;
  v1::DeconvolveSpec spec;
  v1::FrameStatistics frame;
  frame.set_background(9);
  for (const float background : {9.0F, 8.0F, 7.0F, 6.0F}) frame.add_plane_background(background);
  ASSERT_OK_AND_ASSIGN(const RegionCorrection correction,
                       CorrectionOf({.spec = &spec, .frame = &frame, .columns = 5}, kRegion, task.source()));
  EXPECT_EQ(correction.light.backgrounds, (std::vector<float>{8, 7}));
  EXPECT_EQ(correction.light.background, 9);
  EXPECT_FALSE(correction.masks());
}

TEST(RegionCorrectionTest, BadPixelsTakeTheMedianOfTheirGoodNeighbours) {
  std::vector<float> plane = {1, 2, 3, 4, 900, 800, 7, 8, 9};
  ReplaceBadPixels(std::vector<size_t>{4, 5}, 3, plane);
  EXPECT_EQ(plane[4], 4) << "of 1 2 3 4 7 8 9";
  EXPECT_EQ(plane[5], 8) << "the upper middle one of 2 3 8 9";
  EXPECT_EQ(plane[0], 1);
}

}  // namespace
}  // namespace deconvoy::worker
