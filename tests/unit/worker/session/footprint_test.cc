#include "worker/session/footprint.h"

#include <gtest/gtest.h>

#include "proto/contract/volume_layout.h"
#include "worker/executor/guarded_executor.h"

namespace deconvoy::worker {
namespace {

// A tile of 4x5x6 voxels that loads two more on every side, of u16 into f32.
v1::Task Tile() {
  v1::Task task;
  for (const char* name : {"volumes/in", "volumes/psf", "volumes/out"}) {
    v1::VolumeAccess& input = *task.add_inputs();
    input.set_volume(name);
    input.mutable_spec()->set_type(name == std::string("volumes/in") ? v1::U16 : v1::F32);
  }
  v1::TileTask& tile = *task.mutable_tile();
  tile.mutable_spec()->set_method("rl");
  tile.mutable_spec()->set_input_volume("volumes/in");
  tile.mutable_spec()->set_psf_volume("volumes/psf");
  *tile.mutable_core() = ToProto(FrameBox{3, 1, {{2, 2, 2}, {4, 5, 6}}});
  *tile.mutable_loaded() = ToProto(FrameBox{3, 1, {{}, {8, 9, 10}}});
  *tile.mutable_padded() = ToProto(Shape3{10, 10, 12});
  v1::OutputPiece& output = *task.add_outputs();
  output.set_type(v1::F32);
  *output.mutable_box() = tile.core();
  return task;
}

TEST(FootprintTest, AStreamedTileHoldsInputAndOutputInMemory) {
  const v1::Task task = Tile();
  const Footprint footprint = FootprintOf(task);
  EXPECT_EQ(footprint.staged, 8 * 9 * 10 * 2);
  EXPECT_EQ(footprint.computing, NeedBytes(task).value());
  EXPECT_GT(footprint.computing, 0);
  EXPECT_EQ(footprint.delivering, 4 * 5 * 6 * 4);
}

TEST(FootprintTest, TheImageIsReadAheadForWhatComesBeforeTheTilesToo) {
  const v1::TileTask tile = Tile().tile();
  v1::Task calibration = Tile(), estimate = Tile();
  *calibration.mutable_calibrate()->mutable_tile() = tile;
  *estimate.mutable_estimate_psf()->mutable_tile() = tile;
  for (const v1::Task& task : {calibration, estimate}) {
    EXPECT_EQ(FootprintOf(task).staged, 8 * 9 * 10 * 2);
    EXPECT_EQ(FootprintOf(task).computing, NeedBytes(Tile()).value());
  }
}

TEST(FootprintTest, TheResultThatATileStartsFromIsReadAheadToo) {
  v1::Task task = Tile();
  task.mutable_tile()->set_previous_volume("volumes/out");
  const std::vector<InputBox> boxes = BoxesToReadAhead(task);
  ASSERT_EQ(boxes.size(), 2U);
  EXPECT_EQ(boxes[1].volume->volume(), "volumes/out");
  EXPECT_EQ(boxes[1].box, (FrameBox{2, 1, {{}, {8, 9, 10}}})) << "of the time point before";
  EXPECT_EQ(FootprintOf(task).staged, 8 * 9 * 10 * (2 + 4));
}

TEST(FootprintTest, OfTheResultOfARegionItsPartIsReadAhead) {
  v1::Task task = Tile();
  task.mutable_tile()->set_previous_volume("volumes/out");
  *task.mutable_tile()->mutable_spec()->mutable_region_origin() = ToProto(Voxel{2, 0, 3});
  *task.mutable_tile()->mutable_spec()->mutable_region_shape() = ToProto(Shape3{4, 20, 5});
  const std::vector<InputBox> boxes = BoxesToReadAhead(task);
  ASSERT_EQ(boxes.size(), 2U);
  EXPECT_EQ(boxes[0].box, (FrameBox{3, 1, {{}, {8, 9, 10}}})) << "of the image all that is loaded";
  EXPECT_EQ(boxes[1].box, (FrameBox{2, 1, {{}, {4, 9, 5}}})) << "in voxels of the result";
}

TEST(FootprintTest, MaskViewsAndSparsePlanesAreReadAheadAsTheyAreUsed) {
  v1::Task task = Tile();
  v1::VolumeAccess& mask = *task.add_inputs();
  mask.set_volume("volumes/mask");
  mask.mutable_spec()->set_type(v1::U8);
  mask.mutable_spec()->mutable_shape()->set_c(1);
  v1::TileTask& tile = *task.mutable_tile();
  tile.mutable_spec()->set_mask_volume("volumes/mask");
  (*tile.mutable_spec()->mutable_parameters())["axial_upsample"] = "4";
  tile.add_frames()->set_c(0);
  tile.add_frames()->set_c(1);
  const std::vector<InputBox> boxes = BoxesToReadAhead(task);
  ASSERT_EQ(boxes.size(), 4U);
  EXPECT_EQ(boxes[0].box, (FrameBox{3, 0, {{}, {2, 9, 10}}})) << "planes 0 and 4 of 8";
  EXPECT_EQ(boxes[1].volume->volume(), "volumes/mask");
  EXPECT_EQ(boxes[1].box, (FrameBox{0, 0, {{}, {2, 9, 10}}}));
  EXPECT_EQ(boxes[2].box, (FrameBox{3, 1, {{}, {2, 9, 10}}}));
  EXPECT_EQ(boxes[3].box, (FrameBox{0, 0, {{}, {2, 9, 10}}})) << "one channel for all";
}

TEST(FootprintTest, WhatMovedIsReadAheadWhereItWasRecorded) {
  v1::Task task = Tile();
  *task.mutable_inputs(0)->mutable_spec()->mutable_shape() = ToProto(Shape5{4, 2, 8, 20, 30});
  v1::FrameStatistics& frame = *task.mutable_tile()->add_frames();
  frame.set_c(1);
  for (int plane = 0; plane < 8; ++plane) frame.add_plane_shift_x(plane < 4 ? 0 : 7);
  const std::vector<InputBox> boxes = BoxesToReadAhead(task);
  ASSERT_EQ(boxes.size(), 1U);
  EXPECT_EQ(boxes[0].box, (FrameBox{3, 1, {{}, {8, 9, 17}}}));
  EXPECT_EQ(FootprintOf(task).staged, 8 * 9 * 17 * 2);
}

TEST(FootprintTest, FilesOfTheSpoolTakeNoMemory) {
  v1::Task task = Tile();
  for (v1::VolumeAccess& input : *task.mutable_inputs()) input.set_spool_path("/somewhere");
  task.set_scratch_path("/scratch");
  const Footprint footprint = FootprintOf(task);
  EXPECT_EQ(footprint.staged, 0);
  EXPECT_EQ(footprint.delivering, 0);
  EXPECT_GT(footprint.computing, 0);
}

TEST(FootprintTest, ATaskThatCannotBeUnderstoodIsLeftToItsExecutor) {
  v1::Task task = Tile();
  task.mutable_tile()->mutable_spec()->set_input_volume("volumes/unknown");
  (*task.mutable_tile()->mutable_spec()->mutable_parameters())["nonsense"] = "1";
  EXPECT_TRUE(BoxesToReadAhead(task).empty());
  EXPECT_EQ(FootprintOf(task).computing, 0);
  task.mutable_analyse();
  EXPECT_TRUE(BoxesToReadAhead(task).empty());
}

}  // namespace
}  // namespace deconvoy::worker
