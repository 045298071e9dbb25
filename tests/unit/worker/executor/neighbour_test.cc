// Two tiles at once, on the emulated device.
#include "worker/executor/neighbour_executor.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cuda/backend_on.h"
#include "worker/backends/cuda/cuda_backend.h"
#include "worker/executor/guarded_executor.h"
#include "worker/executor/halving_executor.h"
#include "worker/executor/lost_device_executor.h"

namespace deconvoy::worker {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::AsBytes;
using testing::MemoryTask;

constexpr int64_t kEnough = int64_t{4} << 30;  // what is told; the emulated device has its own

// Computes only while no other one does that has the same mutex.
class TurnTask : public MemoryTask {
 public:
  explicit TurnTask(std::mutex& turn) : turn_(turn, std::defer_lock) {}
  absl::Status BeginComputing() override {
    if (!turn_.owns_lock()) turn_.lock();
    return absl::OkStatus();
  }
  void EndComputing() override {
    if (turn_.owns_lock()) turn_.unlock();
  }

 private:
  std::unique_lock<std::mutex> turn_;
};

Setting Sized(const Shape3& frame, v1::VoxelType output) {
  Setting s;
  s.frame = frame;
  s.core = {{1, 2, 3}, {frame.z - 2, frame.y - 4, frame.x - 6}};
  s.loaded = {{}, frame};
  s.psf = Skewed();
  s.offset = 10;
  s.gain = 0.5;
  s.output = output;
  return s;
}

// As it is stored by a camera, so that counts become values on the device.
void FillCounts(const Setting& s, uint64_t seed, MemoryTask& task) {
  const std::vector<float> values = Picture(s.frame, seed);
  Fill(s, values, task);
  task.AddInput("volumes/in", {1, 1, s.frame.z, s.frame.y, s.frame.x}, v1::U16,
                AsBytes(std::vector<uint16_t>(values.begin(), values.end())));
  task.task.mutable_inputs(0)->CopyFrom(task.task.inputs(task.task.inputs_size() - 1));
  task.task.mutable_inputs()->RemoveLast();
  v1::TileTask& tile = *task.task.mutable_tile();
  tile.mutable_frames(0)->set_maximum(110);
  tile.set_preview_step(4);
}

struct Ended {
  std::vector<std::byte> output;
  absl::StatusOr<v1::TaskResult> result = absl::UnknownError("not executed");
};

Ended Execute(TaskExecutor& executor, const Setting& s, uint64_t seed, std::mutex& turn) {
  TurnTask task(turn);
  FillCounts(s, seed, task);
  Ended ended{.output = {}, .result = executor.Execute(task.task, task)};
  ended.output = task.output;
  return ended;
}

void ExpectSame(const Ended& found, const Ended& expected) {
  ASSERT_OK(found.result);
  EXPECT_TRUE(found.output == expected.output);
  EXPECT_TRUE(MessageDifferencer::Equals(*found.result, *expected.result));
}

// Tiles that are executed one after another on each of two sides.
class Neighbours : public ::testing::Test {
 protected:
  // Of one shape on both sides, of two, and changing.
  const std::vector<Setting> sides_[2] = {
      {Sized({6, 30, 40}, v1::F32), Sized({8, 17, 25}, v1::U16), Sized({6, 30, 40}, v1::U16)},
      {Sized({6, 30, 40}, v1::F32), Sized({5, 40, 21}, v1::F32), Sized({8, 17, 25}, v1::U8)}};

  static uint64_t Seed(size_t side, size_t tile) { return 10 * side + tile + 1; }

  std::vector<Ended> Alone(size_t side) {
    const auto device = cuda::MakeEmulatedCuda();
    PipelineExecutor executor(*device);
    return Run(executor, side);
  }
  std::vector<Ended> Run(TaskExecutor& executor, size_t side) {
    std::vector<Ended> ended;
    for (size_t i = 0; i < sides_[side].size(); ++i) {
      ended.push_back(Execute(executor, sides_[side][i], Seed(side, i), turn_));
    }
    return ended;
  }

  std::mutex turn_;
};

TEST_F(Neighbours, HaveTheBitsOfEachAlone) {
  const std::vector<Ended> expected[] = {Alone(0), Alone(1)};
  for (const auto& side : expected) {
    for (const Ended& ended : side) ASSERT_OK(ended.result);
  }
  const auto device = cuda::MakeEmulatedCuda();
  NeighbourExecutor executor(*device, kEnough);
  ASSERT_EQ(executor.at_once(), 2);
  for (int round = 0; round < 6; ++round) {
    std::vector<Ended> found[2];
    std::thread other([&] { found[1] = Run(executor, 1); });
    found[0] = Run(executor, 0);
    other.join();
    for (size_t side = 0; side < 2; ++side) {
      ASSERT_EQ(found[side].size(), expected[side].size());
      for (size_t i = 0; i < found[side].size(); ++i) {
        SCOPED_TRACE(::testing::Message() << "round " << round << ", side " << side << ", tile " << i);
        ExpectSame(found[side][i], expected[side][i]);
      }
    }
  }
}

TEST_F(Neighbours, OneWithoutMemoryLeavesTheOtherAsItIs) {
  const std::vector<Ended> expected = Alone(0);
  const auto device = cuda::MakeEmulatedCuda();
  NeighbourExecutor neighbours(*device, kEnough);
  HalvingExecutor executor(neighbours);
  std::thread other([&] {
    for (int i = 0; i < 5; ++i) {
      TurnTask task(turn_);
      FillCounts(sides_[0][0], 1, task);
      *task.task.mutable_tile()->mutable_padded() = ToProto(Shape3{256, 256, 256});
      task.task.mutable_tile()->mutable_spec()->mutable_tile()->set_whole(true);
      EXPECT_EQ(ReasonOf(executor.Execute(task.task, task).status()), v1::OUT_OF_MEMORY);
      EXPECT_TRUE(task.output.empty());
    }
  });
  const std::vector<Ended> found = Run(executor, 0);
  other.join();
  for (size_t i = 0; i < found.size(); ++i) ExpectSame(found[i], expected[i]);
}

TEST_F(Neighbours, OneThatIsComputedInHalvesLeavesTheOtherAsItIs) {
  const std::vector<Ended> expected = Alone(0);
  const auto device = cuda::MakeEmulatedCuda({.memory_bytes = int64_t{8} << 20});
  NeighbourExecutor neighbours(*device, kEnough);
  HalvingExecutor executor(neighbours);
  const Setting large = Sized({16, 112, 160}, v1::F32);
  absl::Status as_a_whole;
  std::thread other([&] {
    as_a_whole = Execute(neighbours, large, 5, turn_).result.status();
    const Ended parts = Execute(executor, large, 5, turn_);
    EXPECT_OK(parts.result);
    EXPECT_EQ(parts.output.size(), static_cast<size_t>(large.core.shape.voxels()) * sizeof(float));
  });
  std::vector<Ended> found;
  for (int round = 0; round < 3; ++round) found = Run(executor, 0);
  other.join();
  EXPECT_EQ(ReasonOf(as_a_whole), v1::OUT_OF_MEMORY);
  for (size_t i = 0; i < found.size(); ++i) ExpectSame(found[i], expected[i]);
}

// Where the device is lost it is lost for both, and that is told once.
TEST_F(Neighbours, BothLoseTheDevice) {
  const auto device = cuda::MakeEmulatedCuda({.failing_call = 400});
  NeighbourExecutor neighbours(*device, kEnough);
  LostDeviceExecutor executor(neighbours, IsSticky);
  std::atomic<int> losses = 0;
  executor.OnLost([&] { ++losses; });
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) Run(executor, 1);
  });
  for (int i = 0; i < 3; ++i) Run(executor, 0);
  other.join();
  EXPECT_EQ(losses, 1);
  EXPECT_FALSE(executor.lost().ok());
  for (size_t side = 0; side < 2; ++side) {
    for (const Ended& ended : Run(executor, side)) EXPECT_TRUE(absl::IsInternal(ended.result.status()));
  }
}

// What tiles have left for the next ones of their kind is no loss for those of the other.
TEST_F(Neighbours, ATaskThatIsAloneHasAllTheMemory) {
  std::unique_ptr<cuda::Runtime> runtime = cuda::MakeEmulatedRuntime();
  cuda::Arena& arena = runtime->arena();
  const auto device = cuda::MakeBackendOn(std::move(runtime), {.chunk_bytes = 2048});
  MemoryTask tile, calibration;
  FillCounts(sides_[0][0], 1, tile);
  FillCounts(sides_[0][1], 2, calibration);
  const v1::TileTask calibrated = calibration.task.tile();
  *calibration.task.mutable_calibrate()->mutable_tile() = calibrated;
  // What is kept after one of them, and after both.
  const auto kept = [&](const std::vector<MemoryTask*>& tasks) {
    NeighbourExecutor executor(*device, kEnough);
    for (MemoryTask* task : tasks) EXPECT_OK(executor.Execute(task->task, *task));
    return arena.bytes() - arena.free_bytes();
  };
  const int64_t of_tile = kept({&tile}), of_calibration = kept({&calibration});
  EXPECT_GT(of_tile, 0);
  EXPECT_GT(of_calibration, 0);
  EXPECT_EQ(kept({&tile, &calibration}), of_calibration);
  EXPECT_EQ(kept({&calibration, &tile}), of_tile);
  EXPECT_EQ(arena.free_bytes(), arena.bytes());
}

TEST(NeighbourExecutor, TakesTwoWhereTheDeviceGainsByThatAndMemorySuffices) {
  const auto device = cuda::MakeEmulatedCuda();
  const NeighbourExecutor two(*device, kEnough), one(*device, int64_t{1} << 30);
  EXPECT_EQ(two.at_once(), 2);
  EXPECT_EQ(two.share_bytes(), kEnough / 2);
  EXPECT_EQ(one.at_once(), 1);
  EXPECT_EQ(one.share_bytes(), 0);
  const auto processors = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  EXPECT_EQ(NeighbourExecutor(*processors, kEnough).at_once(), 1);
}

TEST(NeighbourExecutor, OnlyTilesWithoutModelsShareMemory) {
  MemoryTask task;
  FillCounts(Sized({6, 30, 40}, v1::F32), 1, task);
  ASSERT_OK_AND_ASSIGN(const int64_t need, NeedBytes(task.task));
  EXPECT_TRUE(MayShare(task.task, need));
  EXPECT_FALSE(MayShare(task.task, need - 1));
  v1::Task learned = task.task, calibration, analysis;
  learned.mutable_tile()->add_models();
  *calibration.mutable_calibrate()->mutable_tile() = task.task.tile();
  analysis.mutable_analyse();
  for (const v1::Task& alone : {learned, calibration, analysis}) EXPECT_FALSE(MayShare(alone, kEnough));
}

}  // namespace
}  // namespace deconvoy::worker
