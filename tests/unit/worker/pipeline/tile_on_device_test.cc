// Tiles on a device with memory of its own, the emulated one, against those on processors.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "proto/contract/checksum.h"
#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/pipeline/tile.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;

class TileOnDevice : public Tile {
 protected:
  absl::StatusOr<v1::TaskResult> RunOnDevice(MemoryTask& task) { return on_device_.Run(task.task, task); }

  const std::unique_ptr<Backend> device_ = cuda::MakeEmulatedCuda();
  TilePipeline on_device_{*device_};
};

// A core inside its frame, with rows for several blocks.
Setting Wide() {
  Setting s;
  s.frame = {6, 30, 40};
  s.core = {{1, 2, 3}, {4, 26, 33}};
  s.loaded = {{}, s.frame};
  s.psf = Skewed();
  s.offset = 10;
  s.gain = 0.5;
  s.keep_offset = true;
  return s;
}

void ExpectSameQuality(const v1::QualityStatistics& found, const v1::QualityStatistics& expected) {
  EXPECT_EQ(found.voxels(), expected.voxels());
  EXPECT_EQ(found.neighbours(), expected.neighbours());
  EXPECT_EQ(found.neighbours_y(), expected.neighbours_y());
  EXPECT_EQ(found.neighbours_z(), expected.neighbours_z());
  EXPECT_EQ(found.flat_voxels(), expected.flat_voxels());
  EXPECT_EQ(found.ring_voxels(), expected.ring_voxels());
  EXPECT_EQ(found.faint_voxels(), expected.faint_voxels());
  const double squares = expected.residual_squares();
  EXPECT_NEAR(found.residual_sum(), expected.residual_sum(), 1e-4 * squares);
  EXPECT_NEAR(found.residual_squares(), squares, 1e-4 * squares);
  EXPECT_NEAR(found.neighbour_products(), expected.neighbour_products(), 1e-4 * squares);
  EXPECT_NEAR(found.neighbour_products_y(), expected.neighbour_products_y(), 1e-4 * squares);
  EXPECT_NEAR(found.neighbour_products_z(), expected.neighbour_products_z(), 1e-4 * squares);
  EXPECT_NEAR(found.flat_squares_before(), expected.flat_squares_before(), 1e-4 * expected.flat_squares_before());
  EXPECT_NEAR(found.flat_squares_after(), expected.flat_squares_after(), 1e-4 * expected.flat_squares_after());
}

TEST_F(TileOnDevice, ResultAndStatisticsAreThoseOfProcessors) {
  const Setting s = Wide();
  const std::vector<float> raw = Picture(s.frame);
  for (const bool residual : {false, true}) {
    MemoryTask here, there;
    for (MemoryTask* task : {&here, &there}) {
      Fill(s, raw, *task);
      v1::TileTask& tile = *task->task.mutable_tile();
      tile.mutable_frames(0)->set_maximum(110);
      tile.set_preview_step(4);
      if (!residual) continue;
      tile.mutable_spec()->set_residual(true);
      task->AddOutput("volumes/residual", v1::F32, {0, 0, s.core});
    }
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult expected, Run(here));
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult found, RunOnDevice(there));
    const std::vector<float> voxels = FromBytes<float>(there.output);
    ExpectNear(voxels, FromBytes<float>(here.output), 1e-5);
    const auto first = std::span(there.output).first(static_cast<size_t>(s.core.shape.voxels()) * sizeof(float));
    EXPECT_EQ(found.piece_crc32c(0), Crc32c(first));
    const v1::ResultStatistics &a = found.tile().statistics(), &b = expected.tile().statistics();
    EXPECT_NEAR(a.sum(), b.sum(), 1e-5 * b.sum());
    EXPECT_NEAR(a.minimum(), b.minimum(), 1e-5 * b.maximum());
    EXPECT_NEAR(a.maximum(), b.maximum(), 1e-5 * b.maximum());
    EXPECT_EQ(a.input_sum(), b.input_sum());
    ExpectSameQuality(a.quality(), b.quality());
    EXPECT_GT(b.quality().residual_squares(), 0);
    ASSERT_EQ(found.tile().preview().maximum_size(), expected.tile().preview().maximum_size());
    for (int i = 0; i < found.tile().preview().maximum_size(); ++i) {
      EXPECT_NEAR(found.tile().preview().maximum(i), expected.tile().preview().maximum(i), 1e-5 * b.maximum());
    }
  }
}

// So that all that needs the host, the disk or the bus can be done beside another tile.
TEST_F(TileOnDevice, IsLoadedBeforeItComputesAndBroughtOutAfterwards) {
  class StepsTask : public MemoryTask {
   public:
    absl::Status BeginComputing() override {
      ++begun;
      reads_before = reads;
      EXPECT_TRUE(progress.empty());
      return absl::OkStatus();
    }
    void EndComputing() override {
      ++ended;
      EXPECT_EQ(begun, 1);
      EXPECT_EQ(progress.size(), 3U) << "all its iterations";
      EXPECT_TRUE(output.empty());
    }
    int begun = 0, ended = 0;
    int64_t reads_before = 0;
  } task;
  Fill(Wide(), Picture(Wide().frame), task);
  ASSERT_OK(RunOnDevice(task));
  EXPECT_EQ(task.begun, 1);
  EXPECT_EQ(task.ended, 1);
  EXPECT_GT(task.reads_before, 0);
  EXPECT_EQ(task.reads, task.reads_before) << "nothing is read while it computes";
  EXPECT_FALSE(task.output.empty());
}

TEST_F(TileOnDevice, EndsWhereItMayNotCompute) {
  class StoppedTask : public MemoryTask {
   public:
    absl::Status BeginComputing() override { return absl::CancelledError("stopped"); }
    void EndComputing() override { ADD_FAILURE() << "it has not begun"; }
  } task;
  Fill(Wide(), Picture(Wide().frame), task);
  EXPECT_TRUE(absl::IsCancelled(RunOnDevice(task).status()));
  EXPECT_TRUE(task.progress.empty());
  EXPECT_TRUE(task.output.empty());
}

// Flat, faint and negative places, and voxels that do not count: what the sums are of.
TEST_F(TileOnDevice, SumsOverBlocksAreThoseOfProcessors) {
  Setting s = Wide();
  s.frame = {9, 30, 40};
  s.core = {{1, 2, 3}, {7, 26, 33}};
  s.loaded = {{}, s.frame};
  s.parameters.clear();
  std::vector<float> raw(static_cast<size_t>(s.frame.voxels()));
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool faint = i % 40 < 20;
    raw[i] = std::round((faint ? 12.0F : 500.0F) + static_cast<float>(Random::OfVoxel(3, 9, i).Uniform(0, 4)));
  }
  for (size_t i = 5; i < raw.size(); i += 1001) raw[i] = 4000;
  // A spot in the middle of a block of the faint half, in every plane.
  for (size_t z = 0; z < 9; ++z) {
    for (size_t y = 12; y < 16; ++y) {
      for (size_t x = 5; x < 9; ++x) raw[(z * 30 + y) * 40 + x] += 20;
    }
  }
  MemoryTask here, there;
  for (MemoryTask* task : {&here, &there}) {
    Fill(s, raw, *task);
    v1::TileTask& tile = *task->task.mutable_tile();
    tile.mutable_spec()->set_method("wiener");
    tile.mutable_spec()->mutable_parameters()->clear();
    tile.mutable_spec()->set_saturation_counts(3000);
    tile.mutable_frames(0)->set_maximum(2000);
  }
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult expected, Run(here));
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult found, RunOnDevice(there));
  const v1::QualityStatistics& quality = expected.tile().statistics().quality();
  EXPECT_GT(quality.flat_voxels(), 0U);
  EXPECT_GT(quality.faint_voxels(), 0U);
  EXPECT_LT(quality.voxels(), static_cast<uint64_t>(s.core.shape.voxels())) << "saturated voxels do not count";
  ExpectSameQuality(found.tile().statistics().quality(), quality);
}

TEST_F(TileOnDevice, IntegersAreRoundedAndClippedAsOnProcessors) {
  Setting s = Wide();
  s.output = v1::U8;  // the picture reaches above 255 counts
  s.gain = 0.3;
  s.psf = Delta();
  const std::vector<float> raw = Picture(s.frame);
  std::vector<float> bright = raw;
  for (size_t i = 0; i < bright.size(); i += 7) bright[i] += 200;
  MemoryTask here, there;
  Fill(s, bright, here);
  Fill(s, bright, there);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult expected, Run(here));
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult found, RunOnDevice(there));
  ASSERT_EQ(there.output.size(), here.output.size());
  for (size_t i = 0; i < here.output.size(); ++i) {
    EXPECT_LE(std::abs(std::to_integer<int>(here.output[i]) - std::to_integer<int>(there.output[i])), 1) << i;
  }
  EXPECT_GT(expected.tile().statistics().clipped_voxels(), 0U);
  EXPECT_EQ(found.tile().statistics().clipped_voxels(), expected.tile().statistics().clipped_voxels());
}

}  // namespace
}  // namespace deconvoy::worker
