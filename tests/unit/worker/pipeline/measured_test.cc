#include "worker/pipeline/measured.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/pipeline/counts_loader.h"

namespace deconvoy::worker {
namespace {

using testing::AsBytes;
using testing::FromBytes;
using testing::MemoryTask;

std::vector<float> Host(Ops& ops, const Array& array) {
  std::vector<float> values(static_cast<size_t>(array.box().shape.voxels()));
  EXPECT_OK(ops.Download(array, array.box(), values));
  return values;
}

class MeasuredTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(ops_, backend_->Open({8, 1, 4})); }
  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops_;
  MemoryTask task_;
};

TEST_F(MeasuredTest, PlanesLieWhereTheyWereMeasured) {
  task_.AddInput("volumes/in", {1, 1, 4, 1, 2}, {10, 11, 20, 21, 30, 31, 40, 41});
  const ImageSource from{.image = &task_.task.inputs(0),
                         .scale = {.offset_counts = 10, .gain = 2},
                         .upsample = 3,
                         .loaded = {0, 0, {{2, 0, 0}, {6, 1, 2}}}};
  std::vector<int64_t> seen;
  ASSERT_OK_AND_ASSIGN(const Measured measured,
                       LoadMeasured(from, {{}, from.loaded.box.shape}, *ops_, task_.source(),
                                    [&](int64_t z, std::span<const float>, std::span<const float> m) {
                                      seen.push_back(z);
                                      EXPECT_TRUE(m.empty());
                                    }));
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 4})) << "planes 3 and 6 of the result";
  EXPECT_EQ(Host(*ops_, *measured.mask), (std::vector<float>{0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(Host(*ops_, *measured.y), (std::vector<float>{20, 22, 20, 22, 20, 22, 20, 22, 40, 42, 40, 42}));
}

// So that a start from the image is no black hole.
TEST_F(MeasuredTest, BetweenTwoMeasuredPlanesThereIsOnlyTheFill) {
  task_.AddInput("volumes/in", {1, 1, 2, 1, 2}, {10, 11, 20, 21});
  const ImageSource from{.image = &task_.task.inputs(0),
                         .scale = {.read_noise = 2},
                         .upsample = 4,
                         .loaded = {0, 0, {{5, 0, 0}, {3, 1, 2}}},
                         .fill = 6};
  const auto never = [](int64_t, std::span<const float>, std::span<const float>) { ADD_FAILURE(); };
  ASSERT_OK_AND_ASSIGN(const Measured measured, LoadMeasured(from, {{}, {3, 1, 2}}, *ops_, task_.source(), never));
  EXPECT_EQ(Host(*ops_, *measured.mask), std::vector<float>(6, 0));
  EXPECT_EQ(Host(*ops_, *measured.y), std::vector<float>(6, 10));
}

TEST_F(MeasuredTest, ThereIsNoMaskWhereEveryVoxelCounts) {
  task_.AddInput("volumes/in", {1, 1, 1, 1, 2}, {3, 4});
  const ImageSource from{.image = &task_.task.inputs(0), .loaded = {0, 0, {{}, {1, 1, 2}}}};
  ASSERT_OK_AND_ASSIGN(const Measured measured,
                       LoadMeasured(from, {{}, {1, 1, 2}}, *ops_, task_.source(),
                                    [](int64_t, std::span<const float>, std::span<const float>) {}));
  EXPECT_EQ(measured.mask, nullptr);
}

// By either way the same bits, for every kind of integer, plane by plane and of a part of the frame.
TEST_F(MeasuredTest, CountsThatGoToTheDeviceAsTheyAreBecomeTheSamePhotons) {
  for (const v1::VoxelType type : {v1::U8, v1::U16}) {
    MemoryTask task;
    std::vector<uint8_t> wide(5 * 3 * 4);
    std::iota(wide.begin(), wide.end(), uint8_t{7});
    std::vector<uint16_t> wider(wide.size());
    for (size_t i = 0; i < wider.size(); ++i) wider[i] = static_cast<uint16_t>(1031 * i);
    task.AddInput("volumes/in", {1, 1, 5, 3, 4}, type, type == v1::U8 ? AsBytes(wide) : AsBytes(wider));
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open({4, 2, 3}));
    const ImageSource from{.image = &task.task.inputs(0),
                           .scale = {.offset_counts = 99.7, .gain = 0.46, .read_noise = 1.3, .dark = 0.2},
                           .loaded = {0, 0, {{1, 1, 0}, {4, 2, 3}}}};
    const Box3 box{{}, from.loaded.box.shape};
    const auto ignore = [](int64_t, std::span<const float>, std::span<const float>) {};
    ASSERT_OK_AND_ASSIGN(const Measured expected, LoadMeasured(from, box, *ops_, task.source(), ignore));
    std::vector<int64_t> seen;
    std::vector<std::byte> counts;
    const auto see = [&](int64_t z, std::span<const std::byte> plane) {
      seen.push_back(z);
      counts.insert(counts.end(), plane.begin(), plane.end());
    };
    const auto never = [](int64_t, std::span<const float>, std::span<const float>) { ADD_FAILURE(); };
    ASSERT_OK_AND_ASSIGN(const Measured found, LoadMeasured(from, box, *ops_, task.source(), never, see));
    EXPECT_EQ(found.mask, nullptr);
    EXPECT_EQ(Host(*ops_, *found.y), Host(*ops_, *expected.y)) << v1::VoxelType_Name(type);
    EXPECT_EQ(seen, (std::vector<int64_t>{0, 1, 2, 3}));
    std::vector<std::byte> stored(counts.size());
    ASSERT_OK(task.source().Read(*from.image, from.loaded, stored));
    EXPECT_EQ(counts, stored);
  }
}

TEST_F(MeasuredTest, WhatTheHostMustLookAtDoesNotGoToTheDeviceAsItIs) {
  task_.AddInput("volumes/in", {1, 1, 2, 1, 2}, v1::U16, AsBytes<uint16_t>({3, 4, 5, 6}));
  task_.AddInput("volumes/float", {1, 1, 2, 1, 2}, {3, 4, 5, 6});
  const ImageSource plain{.image = &task_.task.inputs(0), .loaded = {0, 0, {{}, {2, 1, 2}}}};
  const Box3 box{{}, plain.loaded.box.shape};
  EXPECT_TRUE(LoadsCounts(plain, box));
  EXPECT_FALSE(LoadsCounts(plain, {{}, {3, 1, 2}})) << "the rest is reflected";
  const auto but = [&](const std::function<void(ImageSource&)>& change) {
    ImageSource changed = plain;
    change(changed);
    return LoadsCounts(changed, box);
  };
  EXPECT_FALSE(but([&](ImageSource& from) { from.image = &task_.task.inputs(1); })) << "it may hold what is no number";
  EXPECT_FALSE(but([&](ImageSource& from) { from.mask = &task_.task.inputs(0); }));
  EXPECT_FALSE(but([](ImageSource& from) { from.saturation_counts = 9; }));
  EXPECT_FALSE(but([](ImageSource& from) { from.upsample = 2; }));
  EXPECT_FALSE(but([](ImageSource& from) { from.displacement.z = 1; }));
  EXPECT_FALSE(but([](ImageSource& from) { from.correction.bad_pixels = {1}; }));
  EXPECT_FALSE(but([](ImageSource& from) { from.correction.light.light = {1, 2}; }));
}

TEST_F(MeasuredTest, OnlyVoxelsThatCountMustBeNumbers) {
  task_.AddInput("volumes/in", {1, 1, 1, 1, 2}, {NAN, 4});
  task_.AddInput("volumes/mask", {1, 1, 1, 1, 2}, v1::U8, AsBytes<uint8_t>({0, 1}));
  ImageSource from{.image = &task_.task.inputs(0),
                   .mask = &task_.task.inputs(1),
                   .scale = {.offset_counts = 1, .gain = 2},
                   .loaded = {0, 0, {{}, {1, 1, 2}}},
                   .fill = 5};
  const auto ignore = [](int64_t, std::span<const float>, std::span<const float>) {};
  ASSERT_OK_AND_ASSIGN(const Measured measured, LoadMeasured(from, {{}, {1, 1, 2}}, *ops_, task_.source(), ignore));
  EXPECT_EQ(Host(*ops_, *measured.y), (std::vector<float>{5, 6}));
  EXPECT_EQ(Host(*ops_, *measured.mask), (std::vector<float>{0, 1}));
  from.mask = nullptr;
  EXPECT_EQ(ReasonOf(LoadMeasured(from, {{}, {1, 1, 2}}, *ops_, task_.source(), ignore).status()),
            v1::NOT_FINITE_INPUT);
}

TEST_F(MeasuredTest, ATileReadsTheChannelsOfItsFrames) {
  v1::TileTask tile;
  *tile.mutable_core() = ToProto(FrameBox{1, 2, {{}, {1, 1, 1}}});
  *tile.mutable_loaded() = ToProto(FrameBox{1, 2, {{3, 0, 0}, {4, 1, 1}}});
  tile.add_frames()->set_c(2);
  EXPECT_EQ(ChannelsOf(tile), std::vector<int64_t>{2});
  tile.add_frames()->set_c(5);
  EXPECT_EQ(ChannelsOf(tile), (std::vector<int64_t>{2, 5}));
  (*tile.mutable_spec()->mutable_parameters())["axial_upsample"] = "2";
  EXPECT_EQ(ImageRegion(tile, 5, {4, 1, 1}), (FrameBox{1, 5, {{2, 0, 0}, {2, 1, 1}}})) << "planes 4 and 6 of 3 to 6";
}

// Planes 1 and 2 of the frame were recorded a plane further on, the latter a column to the right as well. There one
// pixel is bad, one plane saw half the light, and a voxel is masked; all of that is of where it was recorded.
TEST_F(MeasuredTest, DisplacedVoxelsTakeAlongWhatIsKnownOfTheirPlace) {
  task_.AddInput("volumes/in", {1, 1, 4, 1, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 11, 900, 13, 14, 21, 900, 23, 24});
  std::vector<uint8_t> mask(16, 1);
  mask[10] = 0;
  task_.AddInput("volumes/mask", {1, 1, 4, 1, 4}, v1::U8, AsBytes(mask));
  v1::FrameStatistics frame;
  frame.set_shift_z(1);
  for (const int32_t shift : {0, 0, 0, 1}) frame.add_plane_shift_x(shift);
  ImageSource from{.image = &task_.task.inputs(0),
                   .mask = &task_.task.inputs(1),
                   .loaded = {0, 0, {{1, 0, 0}, {3, 1, 4}}},
                   .displacement = DisplacementOf(frame),
                   .fill = 7};
  from.correction.bad_pixels = {1};
  from.correction.light = {.light = {1, 0.5F}};
  std::vector<float> seen;
  const auto see = [&](int64_t z, std::span<const float> photons, std::span<const float> m) {
    EXPECT_EQ(z, static_cast<int64_t>(seen.size() / 4));
    for (size_t i = 0; i < 4; ++i) seen.push_back(m[i] > 0 ? photons[i] : -1);
  };
  ASSERT_OK_AND_ASSIGN(const Measured measured, LoadMeasured(from, {{}, {3, 1, 4}}, *ops_, task_.source(), see));
  EXPECT_EQ(Host(*ops_, *measured.mask), (std::vector<float>{1, 0, 0, 1, 0, 0.5F, 0.5F, 0, 0, 0, 0, 0}));
  EXPECT_EQ(seen, (std::vector<float>{11, -1, -1, 14, -1, 46, 48, -1, -1, -1, -1, -1}));
  const std::vector<float> y = Host(*ops_, *measured.y);
  EXPECT_EQ(std::vector<float>(y.begin() + 7, y.end()), std::vector<float>(5, 7)) << "what was not recorded";
}

TEST_F(MeasuredTest, WhatWasRecordedNowhereDoesNotCount) {
  task_.AddInput("volumes/in", {1, 1, 2, 1, 2}, {1, 2, 3, 4});
  v1::FrameStatistics frame;
  frame.set_shift_z(-2);
  const ImageSource from{.image = &task_.task.inputs(0),
                         .loaded = {0, 0, {{}, {2, 1, 2}}},
                         .displacement = DisplacementOf(frame),
                         .fill = 6};
  const auto ignore = [](int64_t, std::span<const float>, std::span<const float>) {};
  ASSERT_OK_AND_ASSIGN(const Measured measured, LoadMeasured(from, {{}, {2, 1, 2}}, *ops_, task_.source(), ignore));
  EXPECT_EQ(Host(*ops_, *measured.mask), std::vector<float>(4, 0));
  EXPECT_EQ(Host(*ops_, *measured.y), std::vector<float>(4, 6));
}

// Of two planes the second had half the light, one pixel sees half of it, and one is bad.
TEST_F(MeasuredTest, CorrectedLightWeighsLess) {
  task_.AddInput("volumes/in", {1, 1, 2, 1, 3}, {34, 19, 900, 19, 11.5, 900});
  ImageSource from{.image = &task_.task.inputs(0),
                   .scale = {.offset_counts = 3, .gain = 2, .dark = 2},
                   .loaded = {0, 0, {{}, {2, 1, 3}}},
                   .fill = 7};
  from.correction.bad_pixels = {2};
  from.correction.light = {.flat = {1, 0.5F, 1}, .flat_maximum = 1, .light = {1, 0.5F}};
  std::vector<float> seen;
  const auto see = [&](int64_t, std::span<const float> photons, std::span<const float>) {
    seen.insert(seen.end(), photons.begin(), photons.begin() + 2);
  };
  ASSERT_OK_AND_ASSIGN(const Measured measured, LoadMeasured(from, {{}, {2, 1, 3}}, *ops_, task_.source(), see));
  EXPECT_EQ(seen, (std::vector<float>{60, 60, 60, 60}));
  const std::vector<float> y = Host(*ops_, *measured.y);
  EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + 3), (std::vector<float>{62, 62, 9}))
      << "the dark current's noise";
  EXPECT_EQ(Host(*ops_, *measured.mask), (std::vector<float>{1, 0.5F, 0, 0.5F, 0.25F, 0}));
  from.correction.weigh = false;
  ASSERT_OK_AND_ASSIGN(const Measured counted, LoadMeasured(from, {{}, {2, 1, 3}}, *ops_, task_.source(), see));
  EXPECT_EQ(counted.mask, nullptr);
  const std::vector<float> all = Host(*ops_, *counted.y);
  EXPECT_EQ(all[2], 32) << "that of its neighbour, 19 counts";
  EXPECT_EQ(std::vector<float>(all.begin(), all.begin() + 2), (std::vector<float>{62, 62}));
}

// A pixel without light in the flat field tells nothing, whatever it holds.
TEST_F(MeasuredTest, WhatADarkPixelOfTheFlatFieldHoldsNeedNotBeANumber) {
  task_.AddInput("volumes/in", {1, 1, 1, 1, 3}, {4, NAN, 6});
  ImageSource from{.image = &task_.task.inputs(0), .loaded = {0, 0, {{}, {1, 1, 3}}}, .fill = 7};
  from.correction.light = {.flat = {1, 0, 1}, .flat_maximum = 1};
  const auto ignore = [](int64_t, std::span<const float>, std::span<const float>) {};
  ASSERT_OK_AND_ASSIGN(const Measured measured, LoadMeasured(from, {{}, {1, 1, 3}}, *ops_, task_.source(), ignore));
  EXPECT_EQ(Host(*ops_, *measured.mask), (std::vector<float>{1, 0, 1}));
  for (const float y : Host(*ops_, *measured.y)) EXPECT_TRUE(std::isfinite(y));
  from.correction.light.flat = {0, 1, 1};
  EXPECT_EQ(ReasonOf(LoadMeasured(from, {{}, {1, 1, 3}}, *ops_, task_.source(), ignore).status()),
            v1::NOT_FINITE_INPUT);
}

}  // namespace
}  // namespace deconvoy::worker
