#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <new>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "tests/unit/worker/support/scripted_executor.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/executor/cancellable_executor.h"
#include "worker/executor/crash_point.h"
#include "worker/executor/guarded_executor.h"
#include "worker/executor/logged_executor.h"
#include "worker/executor/lost_device_executor.h"
#include "worker/executor/pipeline_executor.h"
#include "worker/executor/timed_executor.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;
using testing::MemoryTask;
using testing::Scripted;

v1::TaskResult TileResult() {
  v1::TaskResult result;
  result.mutable_tile()->mutable_statistics()->set_sum(7);
  return result;
}

// A tile that loads 60 x 80 x 90 voxels, with a PSF of 11 x 21 x 31.
MemoryTask TileTask(const Shape3& padded) {
  MemoryTask task;
  task.task.set_name("jobs/a/tasks/3");
  v1::TileTask& tile = *task.task.mutable_tile();
  tile.mutable_spec()->set_method("rl");
  (*tile.mutable_spec()->mutable_parameters())["acceleration"] = "none";
  *tile.mutable_padded() = ToProto(padded);
  *tile.mutable_loaded() = ToProto(FrameBox{0, 0, {{}, {60, 80, 90}}});
  *tile.add_psfs()->mutable_crop_shape() = ToProto(Shape3{11, 21, 31});
  return task;
}

// --- lost device ---

TEST(LostDeviceExecutor, TellsOfTheLossOnceAndTakesNothingMore) {
  absl::Status next_status = absl::OkStatus();
  Scripted next([&](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> {
    if (!next_status.ok()) return next_status;
    return TileResult();
  });
  LostDeviceExecutor executor(next, [](const absl::Status& status) { return absl::IsInternal(status); });
  int losses = 0;
  executor.OnLost([&] { ++losses; });
  MemoryTask task = TileTask({8, 8, 8});

  EXPECT_OK(executor.Execute(task.task, task));
  next_status = MakeError({.reason = v1::OUT_OF_MEMORY}, "not enough");
  EXPECT_EQ(ReasonOf(executor.Execute(task.task, task).status()), v1::OUT_OF_MEMORY);
  next_status = absl::OkStatus();
  EXPECT_OK(executor.Execute(task.task, task));
  EXPECT_OK(executor.lost());
  EXPECT_EQ(losses, 0);

  next_status = absl::InternalError("cudaMemcpyAsync failed on device 0");
  EXPECT_EQ(executor.Execute(task.task, task).status(), next_status);
  EXPECT_EQ(executor.lost(), next_status);
  const int calls = next.calls;
  next_status = absl::OkStatus();
  const absl::Status later = executor.Execute(task.task, task).status();
  EXPECT_TRUE(absl::IsInternal(later)) << "so that it is tried elsewhere";
  EXPECT_THAT(std::string(later.message()), HasSubstr("cudaMemcpyAsync failed on device 0"));
  EXPECT_EQ(next.calls, calls);
  EXPECT_EQ(losses, 1);
}

TEST(LostDeviceExecutor, TellsOfTheLossOnceWhenTwoTasksAreExecuted) {
  std::barrier together(2);
  Scripted next([&](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> {
    together.arrive_and_wait();
    return absl::InternalError("cudaMemcpyAsync failed on device 0");
  });
  LostDeviceExecutor executor(next, [](const absl::Status& status) { return absl::IsInternal(status); });
  std::atomic<int> losses = 0;
  executor.OnLost([&] { ++losses; });
  const auto run = [&] {
    MemoryTask task = TileTask({8, 8, 8});
    EXPECT_TRUE(absl::IsInternal(executor.Execute(task.task, task).status()));
  };
  std::thread other(run);
  run();
  other.join();
  EXPECT_EQ(losses, 1);
  EXPECT_TRUE(absl::IsInternal(executor.lost()));
}

// --- guarded ---

TEST(GuardedExecutor, RefusesATaskAboveTheBudgetBeforeItStarts) {
  Scripted next([](const v1::Task&, TaskContext&) { return TileResult(); });
  MemoryTask task = TileTask({100, 100, 100});
  ASSERT_OK_AND_ASSIGN(const int64_t need, NeedBytes(task.task));
  EXPECT_GE(need, 12 * 1'000'000 + 4 * 60 * 80 * 90 + 4 * 22 * 42 * 62);
  EXPECT_LE(need, 17'000'000);
  EXPECT_LT(need, 22'000'000);
  GuardedExecutor tight(next, need - 1);
  EXPECT_EQ(ReasonOf(tight.Execute(task.task, task).status()), v1::OUT_OF_MEMORY);
  EXPECT_EQ(next.calls, 0);
  GuardedExecutor enough(next, need);
  EXPECT_OK(enough.Execute(task.task, task));
}

void Accelerate(const char* acceleration, MemoryTask& task) {
  (*task.task.mutable_tile()->mutable_spec()->mutable_parameters())["acceleration"] = acceleration;
}

TEST(GuardedExecutor, CountsWhatAChoiceNeeds) {
  MemoryTask task = TileTask({100, 100, 100});
  Accelerate("heavy-ball", task);
  const int64_t heavy_ball = *NeedBytes(task.task);
  Accelerate("biggs-andrews", task);
  EXPECT_EQ(*NeedBytes(task.task), heavy_ball + 4'000'000);
}

TEST(GuardedExecutor, CountsTheModelThatIsADenoiser) {
  MemoryTask task = TileTask({200, 200, 200});
  v1::TileTask& tile = *task.task.mutable_tile();
  tile.mutable_spec()->set_method("pnp-admm");
  tile.mutable_spec()->clear_parameters();
  const int64_t with_tv = *NeedBytes(task.task);
  tile.mutable_spec()->add_models("models/clean/versions/1");
  v1::ModelFacts& facts = *tile.add_models()->mutable_facts();
  *facts.mutable_halo() = ToProto(Shape3{8, 8, 8});
  *facts.mutable_multiple() = ToProto(Shape3{1, 1, 1});
  facts.set_bytes_per_voxel(400);
  const int64_t voxels = 200 * 200 * 200;
  const Shape3 box{kDenoisedCore.z + 16, kDenoisedCore.y + 16, kDenoisedCore.x + 16};
  EXPECT_EQ(*NeedBytes(task.task), with_tv - 16 * voxels + 8 * voxels + 408 * box.voxels());
}

TEST(GuardedExecutor, CountsWhatACalibrationHoldsOut) {
  MemoryTask tile = TileTask({100, 100, 100});
  Accelerate("heavy-ball", tile);  // whose iterations need more than writing out
  const int64_t plain = *NeedBytes(tile.task);
  v1::Task task = tile.task;
  *task.mutable_calibrate()->mutable_tile() = tile.task.tile();
  EXPECT_EQ(*NeedBytes(task), plain);
  (*task.mutable_calibrate()->mutable_tile()->mutable_spec()->mutable_parameters())["iterations"] = "auto";
  EXPECT_EQ(*NeedBytes(task), plain + 8'000'000 + 12 * 60 * 80 * 90);
}

TEST(GuardedExecutor, CountsMeasuredVoxelsWhereTheyLie) {
  MemoryTask task = TileTask({100, 100, 100});
  Accelerate("heavy-ball", task);
  const int64_t loaded = *NeedBytes(task.task);
  task.task.mutable_tile()->mutable_spec()->set_boundary(v1::MIRROR);
  EXPECT_EQ(*NeedBytes(task.task), loaded + 4 * (100 * 100 * 100 - 60 * 80 * 90)) << "reflected into the whole domain";
}

// With hardly any arrays of its own, a method needs most memory when its result is brought out.
TEST(GuardedExecutor, CountsTheImageTheResultAndTheResidualThatIsAskedFor) {
  MemoryTask task = TileTask({100, 100, 100});
  Accelerate("none", task);
  EXPECT_EQ(*NeedBytes(task.task), 12'300'000 + 8 * 60 * 80 * 90);
  task.task.mutable_tile()->mutable_spec()->set_residual(true);
  EXPECT_EQ(*NeedBytes(task.task), 12'300'000 + 12 * 60 * 80 * 90);
}

// As floats, and once more while it is prepared.
TEST(GuardedExecutor, CountsTheGivenPsfOfATile) {
  MemoryTask task = TileTask({100, 100, 100});
  const int64_t without = *NeedBytes(task.task);
  task.AddInput("volumes/psf", {1, 3, 50, 60, 70}, v1::U16, {});
  task.task.mutable_tile()->set_psf_volume("volumes/psf");
  EXPECT_EQ(*NeedBytes(task.task), without + 8 * 50 * 60 * 70);
  *task.task.mutable_tile()->mutable_padded() = ToProto(Shape3{1 << 30, 1 << 30, 1 << 30});
  *task.task.mutable_tile()->mutable_psfs(0)->mutable_crop_shape() = task.task.tile().padded();
  EXPECT_EQ(*NeedBytes(task.task), INT64_MAX);
}

void ExpectGuarded(MemoryTask& task, int64_t least, int64_t most) {
  Scripted next([](const v1::Task&, TaskContext&) { return v1::TaskResult(); });
  ASSERT_OK_AND_ASSIGN(const int64_t need, NeedBytes(task.task));
  EXPECT_GE(need, least);
  EXPECT_LE(need, most);
  const absl::Status status = GuardedExecutor(next, need - 1).Execute(task.task, task).status();
  EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY);
  EXPECT_EQ(InfoOf(status).metadata().at("need_bytes"), std::to_string(need));
  EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("smaller image or PSF"));
  EXPECT_EQ(next.calls, 0);
  EXPECT_OK(GuardedExecutor(next, need).Execute(task.task, task));
}

constexpr int64_t kBillion = 1'000'000'000;

TEST(GuardedExecutor, CountsAPreparedPsfAndAllFramesThatAreStreamed) {
  MemoryTask task;
  task.AddInput("volumes/psf", {1, 2, 1000, 1000, 1000}, v1::F32, {});
  v1::PreparePsfSpec& spec = *task.task.mutable_prepare_psf()->mutable_spec();
  spec.set_psf_volume("volumes/psf");
  for (uint32_t c = 0; c < 2; ++c) {
    v1::PsfReport& report = *spec.add_psfs();
    report.set_c(c);
    report.set_sum(1);
    *report.mutable_centre() = ToProto(Voxel{500, 500, 500});
    *report.mutable_crop_origin() = ToProto(Voxel{250, 250, 250});
    *report.mutable_crop_shape() = ToProto(Shape3{500, 500, 500});
    task.AddOutput("volumes/out", v1::F32, {0, c, {{}, {500, 500, 500}}});
  }
  constexpr int64_t kNeed = 8 * kBillion + 8 * (kBillion / 8) + 2 * 4 * (kBillion / 8);
  ExpectGuarded(task, kNeed, kNeed + 100'000'000);
}

// The volumes are named only: nothing is read before the check.
TEST(GuardedExecutor, CountsTheWholePsfOfAnAnalysis) {
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 10, 1000, 1000}, v1::U16, {});
  task.AddInput("volumes/psf", {1, 2, 1000, 1000, 1000}, v1::F32, {});
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  ExpectGuarded(task, 12 * kBillion, 13 * kBillion);
  task.AddInput("volumes/wide", {1, 1, 2, 20'000, 50'000}, v1::U16, {});
  spec.set_input_volume("volumes/wide");
  spec.set_psf_volume("volumes/in");
  ExpectGuarded(task, 6 * kBillion, 7 * kBillion);  // a plane as read and as float
}

TEST(GuardedExecutor, CountsTheProjectionAndItsPlanes) {
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 5, 20'000, 50'000}, v1::U16, {});
  task.AddOutput("volumes/out", v1::U16, {0, 0, {{}, {1, 20'000, 50'000}}});
  task.task.mutable_project()->mutable_spec()->set_input_volume("volumes/in");
  task.task.mutable_project()->mutable_spec()->set_axis(v1::ProjectSpec::Z);
  ExpectGuarded(task, 14 * kBillion, 14 * kBillion);  // two more bytes a voxel wait for their delivery
  task.task.set_scratch_path("/spool/scratch");
  ExpectGuarded(task, 12 * kBillion, 12 * kBillion);
}

TEST(GuardedExecutor, CountsTheOutputsOfASimulationThatAreStreamed) {
  MemoryTask task;
  *task.task.mutable_simulate()->mutable_spec()->mutable_shape() = ToProto(Shape3{1000, 1000, 1000});
  task.AddOutput("volumes/truth", v1::F32, {0, 0, {{}, {1000, 1000, 1000}}});
  task.AddOutput("volumes/raw", v1::U16, {0, 0, {{}, {1000, 1000, 1000}}});
  ExpectGuarded(task, 14 * kBillion, 15 * kBillion);
  task.task.set_scratch_path("/spool/scratch");
  ExpectGuarded(task, 8 * kBillion, 9 * kBillion);
}

TEST(GuardedExecutor, AFailedAllocationIsOutOfMemory) {
  Scripted next([](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> { throw std::bad_alloc(); });
  MemoryTask task = TileTask({10, 10, 10});
  EXPECT_EQ(ReasonOf(GuardedExecutor(next, 1 << 30).Execute(task.task, task).status()), v1::OUT_OF_MEMORY);
}

TEST(GuardedExecutor, AnyOtherExceptionIsAnError) {
  Scripted next([](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> {
    throw std::runtime_error("a plan went wrong");
  });
  MemoryTask task = TileTask({10, 10, 10});
  const absl::Status status = GuardedExecutor(next, 1 << 30).Execute(task.task, task).status();
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("a plan went wrong"));
}

// --- cancellable ---

TEST(CancellableExecutor, StopsAtEveryDoor) {
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 1, 1, 1}, std::vector<float>{1});
  const std::vector<Scripted::Script> doors{
      [&](const v1::Task&, TaskContext& c) -> absl::StatusOr<v1::TaskResult> { return c.Progress(1, 2); },
      [&](const v1::Task& t, TaskContext& c) -> absl::StatusOr<v1::TaskResult> {
        std::vector<std::byte> byte(4);
        return c.source().Read(t.inputs(0), {0, 0, {{}, {1, 1, 1}}}, byte);
      },
      [&](const v1::Task&, TaskContext& c) -> absl::StatusOr<v1::TaskResult> {
        return c.sink().Append(std::vector<std::byte>(1));
      }};
  for (const Scripted::Script& door : doors) {
    task.cancel = false;
    Scripted next([&](const v1::Task& t, TaskContext& c) {
      task.cancel = true;
      return door(t, c);
    });
    EXPECT_TRUE(absl::IsCancelled(CancellableExecutor(next).Execute(task.task, task).status()));
    EXPECT_EQ(next.calls, 1);
  }
  EXPECT_TRUE(task.output.empty());
}

TEST(CancellableExecutor, DoesNotStartWhatIsCancelledAlready) {
  Scripted next([](const v1::Task&, TaskContext&) { return TileResult(); });
  MemoryTask task;
  task.cancel = true;
  EXPECT_TRUE(absl::IsCancelled(CancellableExecutor(next).Execute(task.task, task).status()));
  EXPECT_EQ(next.calls, 0);
}

TEST(CancellableExecutor, LetsEverythingThroughOtherwise) {
  Scripted next([](const v1::Task&, TaskContext& c) -> absl::StatusOr<v1::TaskResult> {
    EXPECT_OK(c.Progress(1, 2));
    EXPECT_OK(c.sink().Append(std::vector<std::byte>(3)));
    return TileResult();
  });
  MemoryTask task;
  EXPECT_OK(CancellableExecutor(next).Execute(task.task, task));
  EXPECT_EQ(task.output.size(), 3U);
  EXPECT_EQ(task.progress.size(), 1U);
}

// --- timed, logged ---

TEST(TimedExecutor, SaysHowLongATileTook) {
  Scripted next([](const v1::Task&, TaskContext&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return TileResult();
  });
  MemoryTask task;
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, TimedExecutor(next).Execute(task.task, task));
  EXPECT_GE(result.tile().compute_seconds(), 0.02);
  EXPECT_LT(result.tile().compute_seconds(), 10) << "these are milliseconds";
  EXPECT_EQ(result.tile().statistics().sum(), 7);
}

TEST(TimedExecutor, LeavesOutTheTimeInWhichAnotherTileComputed) {
  class BesideTask : public MemoryTask {
   public:
    std::chrono::duration<double> Aside() const override { return std::chrono::hours(1); }
  } task;
  Scripted next([](const v1::Task&, TaskContext&) { return TileResult(); });
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, TimedExecutor(next).Execute(task.task, task));
  EXPECT_EQ(result.tile().compute_seconds(), 0);
}

TEST(LoggedExecutor, LogsStartAndEnd) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  bool fails = false;
  Scripted next([&](const v1::Task&, TaskContext&) -> absl::StatusOr<v1::TaskResult> {
    if (fails) return MakeError({.reason = v1::BAD_PSF}, "the PSF is blank");
    return TileResult();
  });
  MemoryTask task = TileTask({4, 5, 6});
  EXPECT_OK(LoggedExecutor(next).Execute(task.task, task));
  fails = true;
  EXPECT_FALSE(LoggedExecutor(next).Execute(task.task, task).ok());
  spdlog::set_default_logger(before);
  EXPECT_THAT(log.str(), HasSubstr("jobs/a/tasks/3"));
  EXPECT_THAT(log.str(), HasSubstr("padded 4x5x6, method rl"));
  EXPECT_THAT(log.str(), HasSubstr("computed in"));
  EXPECT_THAT(log.str(), HasSubstr("the PSF is blank"));
}

// --- dispatch ---

TEST(PipelineExecutor, RefusesWorkItDoesNotKnow) {
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  PipelineExecutor executor(*backend);
  MemoryTask task;
  EXPECT_EQ(ReasonOf(executor.Execute(task.task, task).status()), v1::INVALID_FIELD);
}

TEST(PipelineExecutor, HandsAProjectionToItsPipeline) {
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  PipelineExecutor executor(*backend);
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 2, 1, 2}, std::vector<float>{1, 5, 4, 2});
  task.AddOutput("volumes/out", v1::F32, {0, 0, {{}, {1, 1, 2}}});
  task.task.mutable_project()->mutable_spec()->set_input_volume("volumes/in");
  task.task.mutable_project()->mutable_spec()->set_axis(v1::ProjectSpec::Z);
  ASSERT_OK(executor.Execute(task.task, task));
  EXPECT_EQ(testing::FromBytes<float>(task.output), (std::vector<float>{4, 5}));
}

// --- crash points ---

TEST(CrashPointDeathTest, EndsTheProcessAtTheNthPass) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        KillAt("worker-task-started:2");
        CrashPoint("worker-task-started");
        CrashPoint("worker-before-delivery");
        fprintf(stderr, "still here\n");
        CrashPoint("worker-task-started");
        _exit(0);
      },
      ::testing::KilledBySignal(SIGKILL), "still here");
}

TEST(CrashPointDeathTest, IsHarmlessUnlessATestAsksForIt) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("DECONVOY_WORKER_CRASH_POINT", "worker-task-started", 1);
        CrashPoint("worker-task-started");
        _exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace deconvoy::worker
