#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "tests/unit/worker/support/memory_task.h"
#include "tests/unit/worker/support/scripted_executor.h"
#include "worker/executor/halving_executor.h"
#include "worker/executor/pipeline_executor.h"
#include "worker/executor/tile_halves.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;
using testing::Scripted;

absl::Status NoMemory() {
  return MakeError({.reason = v1::OUT_OF_MEMORY}, "there is no room");
}

// Two iterations with a PSF of 3 x 3 x 3 reach 4 voxels, less than its halo of 5.
Setting Large() {
  Setting s;
  s.frame = {16, 48, 160};
  s.core = {{1, 0, 3}, {14, 48, 154}};
  s.loaded = {{}, s.frame};
  s.psf = Skewed();
  s.parameters["iterations"] = "2";
  s.parameters["objective"] = "1";
  s.offset = 5;
  s.gain = 0.5;
  s.background = 2;
  return s;
}

void FillLarge(const Setting& s, MemoryTask& task) {
  Fill(s, Picture(s.frame), task);
  task.AddOutput("volumes/residual", v1::F32, {0, 0, s.core});
  v1::TileTask& tile = *task.task.mutable_tile();
  tile.mutable_spec()->set_residual(true);
  tile.mutable_frames(0)->set_maximum(110);
  tile.set_preview_step(7);
}

// How often a task or a part of it was tried.
struct Attempts {
  int succeeded = 0, failed = 0;
};

absl::StatusOr<v1::TaskResult> RunWith(int64_t memory_bytes, MemoryTask& task, Attempts& attempts) {
  const auto device = cuda::MakeEmulatedCuda({.memory_bytes = memory_bytes});
  PipelineExecutor pipelines(*device);
  Scripted counted([&](const v1::Task& part, TaskContext& context) {
    absl::StatusOr<v1::TaskResult> result = pipelines.Execute(part, context);
    ++(result.ok() ? attempts.succeeded : attempts.failed);
    return result;
  });
  return HalvingExecutor(counted).Execute(task.task, task);
}

int64_t WholePages(int64_t bytes) {
  return bytes / 4096 * 4096;
}

// The largest of a falling row of memories in which the tile does not fit as a whole.
int64_t TooLittleMemory(const Setting& s) {
  for (int64_t bytes = int64_t{16} << 20; bytes > 1 << 20; bytes = WholePages(bytes / 10 * 9)) {
    MemoryTask task;
    FillLarge(s, task);
    const auto device = cuda::MakeEmulatedCuda({.memory_bytes = bytes});
    const absl::Status status = PipelineExecutor(*device).Execute(task.task, task).status();
    if (status.ok()) continue;
    EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY);
    return bytes;
  }
  ADD_FAILURE() << "a tile that fits into nothing";
  return 0;
}

class HalvingOnDevice : public ::testing::TestWithParam<v1::Boundary> {};

TEST_P(HalvingOnDevice, PartsAreTheWholeTile) {
  Setting s = Large();
  s.boundary = GetParam();
  // What is repeated beyond the frame reaches as far as one iteration, but not as two.
  const int iterations = s.boundary == v1::MIRROR ? 1 : 2;
  s.parameters["iterations"] = std::to_string(iterations);
  MemoryTask at_once;
  FillLarge(s, at_once);
  Attempts once;
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult whole, RunWith(int64_t{64} << 20, at_once, once));
  EXPECT_EQ(once.succeeded, 1);
  EXPECT_EQ(once.failed, 0);
  const std::vector<float> expected = FromBytes<float>(at_once.output);
  const int64_t too_little = TooLittleMemory(s);
  for (const int64_t memory : {too_little, WholePages(too_little / 5 * 3)}) {
    SCOPED_TRACE(memory);
    MemoryTask task;
    FillLarge(s, task);
    Attempts attempts;
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult parts, RunWith(memory, task, attempts));
    EXPECT_GE(attempts.succeeded, 2);
    EXPECT_EQ(attempts.failed, attempts.succeeded - 1) << "each cut makes one part more";
    const std::vector<float> found = FromBytes<float>(task.output);
    ASSERT_EQ(found.size(), expected.size());
    const auto voxels = static_cast<size_t>(s.core.shape.voxels());
    const float most = *std::max_element(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(voxels));
    for (size_t i = 0; i < voxels; ++i) ASSERT_NEAR(found[i], expected[i], 1e-5 * most) << "at " << i;
    for (size_t i = voxels; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-3) << "residual at " << i;
    const std::span<const std::byte> bytes(task.output);
    ASSERT_EQ(parts.piece_crc32c_size(), 2);
    EXPECT_EQ(parts.piece_crc32c(0), Crc32c(bytes.first(voxels * sizeof(float))));
    EXPECT_EQ(parts.piece_crc32c(1), Crc32c(bytes.subspan(voxels * sizeof(float))));

    const v1::ResultStatistics &a = parts.tile().statistics(), &b = whole.tile().statistics();
    EXPECT_NEAR(a.minimum(), b.minimum(), 1e-5 * most);
    EXPECT_NEAR(a.maximum(), b.maximum(), 1e-5 * most);
    EXPECT_NEAR(a.sum(), b.sum(), 1e-5 * b.sum());
    EXPECT_NEAR(a.input_sum(), b.input_sum(), 1e-9 * b.input_sum());
    EXPECT_EQ(a.quality().voxels(), b.quality().voxels());
    EXPECT_NEAR(a.quality().residual_squares(), b.quality().residual_squares(), 1e-4 * b.quality().residual_squares());
    EXPECT_LT(a.quality().neighbours() + a.quality().neighbours_y(),
              b.quality().neighbours() + b.quality().neighbours_y())
        << "pairs in different parts are in no sum";
    ASSERT_EQ(parts.tile().objective_size(), whole.tile().objective_size());
    ASSERT_EQ(whole.tile().objective_size(), iterations);
    EXPECT_GE(parts.tile().objective(0).data_squares(), whole.tile().objective(0).data_squares());
    const v1::PreviewPart &preview = parts.tile().preview(), &of_whole = whole.tile().preview();
    ASSERT_EQ(preview.maximum_size(), of_whole.maximum_size());
    EXPECT_GT(preview.maximum_size(), 0);
    EXPECT_EQ(preview.x(), of_whole.x());
    EXPECT_EQ(preview.size_x(), of_whole.size_x());
    for (int i = 0; i < preview.maximum_size(); ++i) {
      ASSERT_NEAR(preview.maximum(i), of_whole.maximum(i), 1e-5 * most) << i;
    }
    ASSERT_FALSE(task.progress.empty());
    EXPECT_EQ(task.progress.back().first, task.progress.back().second);
  }
}

INSTANTIATE_TEST_SUITE_P(Boundaries, HalvingOnDevice, ::testing::Values(v1::EXTEND, v1::MIRROR),
                         [](const auto& of) { return of.param == v1::EXTEND ? "Extend" : "Mirror"; });

TEST(HalvingExecutor, WhatHasBegunToWriteIsNotCut) {
  const Setting s = Large();
  MemoryTask task;
  FillLarge(s, task);
  Scripted writes([](const v1::Task&, TaskContext& context) -> absl::StatusOr<v1::TaskResult> {
    const std::byte byte{};
    EXPECT_OK(context.sink().Append({&byte, 1}));
    return NoMemory();
  });
  EXPECT_EQ(HalvingExecutor(writes).Execute(task.task, task).status(), NoMemory());
  EXPECT_EQ(writes.calls, 1);
}

TEST(HalvingExecutor, OtherErrorsAreThoseOfTheTask) {
  const Setting s = Large();
  MemoryTask task;
  FillLarge(s, task);
  Scripted fails([](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> {
    return absl::InternalError("the device is gone");
  });
  EXPECT_TRUE(absl::IsInternal(HalvingExecutor(fails).Execute(task.task, task).status()));
  EXPECT_EQ(fails.calls, 1);
}

TEST(HalvingExecutor, MemoryOfTheHostThatRunsOutIsCutTheSameWay) {
  const Setting s = Large();
  MemoryTask task;
  FillLarge(s, task);
  Scripted fails([](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> { throw std::bad_alloc(); });
  EXPECT_EQ(ReasonOf(HalvingExecutor(fails).Execute(task.task, task).status()), v1::OUT_OF_MEMORY);
  EXPECT_GT(fails.calls, 2);
}

// Whatever is too large for its least part is told as it was, and nothing is written.
TEST(HalvingExecutor, GivesUpWhereNoPartFits) {
  const Setting s = Large();
  MemoryTask task;
  FillLarge(s, task);
  Scripted fails([](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> { return NoMemory(); });
  EXPECT_EQ(HalvingExecutor(fails).Execute(task.task, task).status(), NoMemory());
  EXPECT_GT(fails.calls, 2);
  EXPECT_TRUE(task.output.empty());
}

// --- HalvesOf ---

Box3 CoreOf(const v1::Task& task) {
  return ToFrameBox(task.tile().core()).box;
}
Box3 LoadedOf(const v1::Task& task) {
  return ToFrameBox(task.tile().loaded()).box;
}

v1::Task LargeTask(const std::function<void(Setting&)>& change = nullptr) {
  Setting s = Large();
  if (change) change(s);
  MemoryTask task;
  FillLarge(s, task);
  return task.task;
}

TEST(TileHalves, ShareTheCoreAndLoadItsHalo) {
  const v1::Task task = LargeTask();
  const std::optional<TileHalves> halves = HalvesOf(task);
  ASSERT_TRUE(halves);
  const Box3 first = CoreOf(halves->tasks[0]), second = CoreOf(halves->tasks[1]);
  EXPECT_EQ(first, (Box3{{1, 0, 3}, {14, 48, 80}}))
      << "along x, which leaves the fewest padded voxels, in whole blocks";
  EXPECT_EQ(second, (Box3{{1, 0, 83}, {14, 48, 74}}));
  EXPECT_EQ(LoadedOf(halves->tasks[0]), (Box3{{0, 0, 0}, {16, 48, 88}}));
  EXPECT_EQ(LoadedOf(halves->tasks[1]), (Box3{{0, 0, 78}, {16, 48, 82}}));
  for (const v1::Task& half : halves->tasks) {
    const Shape3 loaded = LoadedOf(half).shape, padded = ToShape3(half.tile().padded());
    EXPECT_EQ(padded, halves->padded);
    EXPECT_GE(padded.x, loaded.x + 2);
    EXPECT_GE(padded.y, loaded.y + 2);
    EXPECT_GE(padded.z, loaded.z + 2);
    EXPECT_LT(padded.voxels(), ToShape3(task.tile().padded()).voxels());
    ASSERT_EQ(half.outputs_size(), 2);
    for (const v1::OutputPiece& piece : half.outputs()) EXPECT_EQ(ToFrameBox(piece.box()).box, CoreOf(half));
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(half.tile().spec(), task.tile().spec()));
  }
}

// Where a result has only a region of the frame, its boxes are those of the region.
TEST(TileHalves, OutputsMoveWithTheCore) {
  v1::Task task = LargeTask();
  for (v1::OutputPiece& piece : *task.mutable_outputs()) {
    *piece.mutable_box() = ToProto(FrameBox{3, 1, {{0, 10, 20}, {14, 48, 154}}});
  }
  const std::optional<TileHalves> halves = HalvesOf(task);
  ASSERT_TRUE(halves);
  const FrameBox box = ToFrameBox(halves->tasks[1].outputs(1).box());
  EXPECT_EQ(box.t, 3);
  EXPECT_EQ(box.c, 1);
  EXPECT_EQ(box.box, (Box3{{0, 10, 100}, {14, 48, 74}}));
}

TEST(TileHalves, SomeTilesStayWhole) {
  EXPECT_TRUE(HalvesOf(LargeTask()));
  EXPECT_FALSE(HalvesOf(LargeTask([](Setting& s) { s.boundary = v1::PERIODIC; })));
  EXPECT_FALSE(HalvesOf(LargeTask([](Setting& s) { s.core = {{0, 20, 20}, {15, 15, 15}}; })));
  v1::Task uncut = LargeTask();
  uncut.mutable_tile()->mutable_spec()->set_method("laplacian");
  EXPECT_FALSE(HalvesOf(uncut));
  v1::Task learned = LargeTask();
  learned.mutable_tile()->add_models();
  EXPECT_FALSE(HalvesOf(learned));
  v1::Task as_asked = LargeTask();
  as_asked.mutable_tile()->mutable_spec()->mutable_tile()->set_whole(true);
  EXPECT_FALSE(HalvesOf(as_asked));
  v1::Task calibration;
  *calibration.mutable_calibrate()->mutable_tile() = LargeTask().tile();
  EXPECT_FALSE(HalvesOf(calibration));
  // What halves would load with a halo as wide as the tile is no less than what the tile loads.
  v1::Task wide = LargeTask();
  *wide.mutable_tile()->mutable_psfs(0)->mutable_crop_shape() = ToProto(Shape3{3, 129, 193});
  wide.mutable_tile()->mutable_psfs(0)->set_spread_y(60);
  wide.mutable_tile()->mutable_psfs(0)->set_spread_x(90);
  EXPECT_FALSE(HalvesOf(wide));
}

}  // namespace
}  // namespace deconvoy::worker
