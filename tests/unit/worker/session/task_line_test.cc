#include "worker/session/task_line.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "worker/executor/guarded_executor.h"

namespace deconvoy::worker {
namespace {

using namespace std::chrono_literals;

class TaskLineTest : public ::testing::Test {
 protected:
  TaskLineTest() {
    std::ofstream(folder_.path() / "credential") << "secret\n";
    link_ = ServerLink::Open("unix:/nowhere", folder_.path() / "credential").value();
  }

  // A streamed tile: it needs `Need()` to be computed, its input takes 64 bytes, its output 256.
  static v1::Task Task(int number) {
    v1::Task task;
    task.set_name("jobs/j/tasks/" + std::to_string(number));
    task.set_token(static_cast<uint64_t>(number));
    v1::VolumeAccess& input = *task.add_inputs();
    input.set_volume("volumes/in");
    input.mutable_spec()->set_type(v1::U8);
    v1::TileTask& tile = *task.mutable_tile();
    tile.mutable_spec()->set_method("rl");
    tile.mutable_spec()->set_input_volume("volumes/in");
    *tile.mutable_loaded() = ToProto(FrameBox{0, 0, {{}, {4, 4, 4}}});
    *tile.mutable_padded() = ToProto(Shape3{8, 8, 8});
    task.add_outputs()->set_type(v1::F32);
    *task.mutable_outputs(0)->mutable_box() = tile.loaded();
    return task;
  }
  static int64_t Need() { return NeedBytes(Task(1)).value(); }
  std::shared_ptr<Work> MakeWork(int number) { return std::make_shared<Work>(*link_, worker_, Task(number)); }
  // Brings a task to where it is delivered.
  static std::shared_ptr<Work> Deliver(TaskLine& line, std::shared_ptr<Work> work) {
    line.Add(std::move(work));
    std::shared_ptr<Work> begun = line.NextToCompute();
    line.Computed(begun);
    return line.NextToDeliver();
  }
  static v1::SynchronizeRequest Described(TaskLine& line) {
    v1::SynchronizeRequest request;
    line.Describe(request);
    return request;
  }

  testing::TemporaryFolder folder_;
  const std::string worker_ = "workers/w";
  std::unique_ptr<ServerLink> link_;
};

TEST_F(TaskLineTest, ATaskGoesThroughItsStages) {
  TaskLine line(INT64_MAX);
  EXPECT_EQ(Described(line).free_slots(), 1U);
  const std::shared_ptr<Work> work = MakeWork(1);
  line.Add(work);
  EXPECT_EQ(Described(line).free_slots(), 0U);
  EXPECT_EQ(Described(line).tasks(0).stage(), v1::STAGED);
  EXPECT_EQ(line.NextToReadAhead(), work);
  EXPECT_EQ(line.NextToCompute(), work);
  EXPECT_EQ(Described(line).free_slots(), 1U);
  EXPECT_EQ(Described(line).tasks(0).stage(), v1::COMPUTING);
  line.Computed(work);
  EXPECT_EQ(line.NextToDeliver(), work);
  EXPECT_EQ(Described(line).tasks(0).stage(), v1::DELIVERING);
  EXPECT_TRUE(line.holds_any());
  line.Remove(work);
  EXPECT_FALSE(line.holds_any());
  EXPECT_TRUE(Described(line).tasks().empty());
}

TEST_F(TaskLineTest, ATaskForWhichThereIsNoRoomGoesBack) {
  TaskLine line(INT64_MAX);
  line.Add(MakeWork(1));
  line.Add(MakeWork(2));
  const v1::SynchronizeRequest request = Described(line);
  ASSERT_EQ(request.tasks_size(), 2);
  EXPECT_EQ(request.tasks(0).task(), "jobs/j/tasks/2");
  EXPECT_EQ(request.tasks(0).error().info().reason(), v1::SHUTTING_DOWN);
  EXPECT_TRUE(request.tasks(0).retry_elsewhere());
  line.Heard(request);
  EXPECT_EQ(Described(line).tasks_size(), 1);
}

TEST_F(TaskLineTest, WhatIsHeldTogetherStaysWithinTheBudget) {
  TaskLine line(Need() + 256);
  const std::shared_ptr<Work> first = Deliver(line, MakeWork(1));
  line.Add(MakeWork(2));
  const std::shared_ptr<Work> second = line.NextToCompute();  // beside an output of 256 bytes
  line.Add(MakeWork(3));
  std::future<std::shared_ptr<Work>> read = std::async([&] { return line.NextToReadAhead(); });
  EXPECT_EQ(read.wait_for(50ms), std::future_status::timeout) << "there is no room for its input";
  line.Remove(first);
  std::shared_ptr<Work> third = read.get();
  EXPECT_EQ(third->held.task().name(), "jobs/j/tasks/3");
  line.Computed(second);
  std::future<std::shared_ptr<Work>> begun = std::async([&] { return line.NextToCompute(); });
  EXPECT_EQ(begun.wait_for(50ms), std::future_status::timeout) << "an output, an input, and what it needs itself";
  line.Remove(second);
  EXPECT_EQ(begun.get(), third);
  line.End();
}

// Its need is the largest number there is.
TEST_F(TaskLineTest, ATaskThatNoMemoryCouldHoldIsNotReadAheadAndBegunOnlyAlone) {
  v1::Task endless = Task(2);
  *endless.mutable_tile()->mutable_padded() = ToProto(Shape3{1 << 30, 1 << 30, 1 << 30});
  *endless.mutable_tile()->add_psfs()->mutable_crop_shape() = endless.tile().padded();
  ASSERT_EQ(NeedBytes(endless).value(), INT64_MAX);
  TaskLine line(Need() + 1024);
  const std::shared_ptr<Work> first = Deliver(line, MakeWork(1));
  line.Add(std::make_shared<Work>(*link_, worker_, endless));
  std::future<std::shared_ptr<Work>> read = std::async([&] { return line.NextToReadAhead(); });
  std::future<std::shared_ptr<Work>> begun = std::async([&] { return line.NextToCompute(); });
  EXPECT_EQ(read.wait_for(50ms), std::future_status::timeout);
  EXPECT_EQ(begun.wait_for(50ms), std::future_status::timeout);
  line.Remove(first);
  ASSERT_NE(begun.get(), nullptr) << "the executor refuses it";
  line.Add(MakeWork(3));
  EXPECT_EQ(read.wait_for(50ms), std::future_status::timeout) << "what it is said to need leaves no room";
  line.End();
}

TEST_F(TaskLineTest, WithRoomForAllNothingWaits) {
  TaskLine line(Need() + 2 * 64 + 256);
  const std::shared_ptr<Work> first = Deliver(line, MakeWork(1));
  for (int number : {2, 3}) {
    line.Add(MakeWork(number));
    EXPECT_EQ(line.NextToReadAhead()->held.task().token(), static_cast<uint64_t>(number));
    if (number == 2) line.NextToCompute();
  }
  EXPECT_EQ(Described(line).tasks_size(), 3);
}

TEST_F(TaskLineTest, DrainingGivesBackWhatWaits) {
  TaskLine line(INT64_MAX);
  line.Add(MakeWork(1));
  const std::shared_ptr<Work> begun = line.NextToCompute();
  const std::shared_ptr<Work> waiting = MakeWork(2);
  line.Add(waiting);
  line.Drain();
  EXPECT_TRUE(waiting->held.stop().stopped());
  v1::SynchronizeRequest request = Described(line);
  EXPECT_EQ(request.free_slots(), 0U);
  EXPECT_TRUE(request.draining());
  ASSERT_EQ(request.tasks_size(), 2);
  EXPECT_EQ(request.tasks(0).task(), "jobs/j/tasks/2");
  EXPECT_EQ(request.tasks(0).stage(), v1::STAGED);
  EXPECT_TRUE(request.tasks(0).has_error());
  EXPECT_FALSE(begun->held.stop().stopped());
  line.Heard(request);
  line.Remove(begun);
  EXPECT_FALSE(line.IsOver(request)) << "the server has not heard that all is done";
  EXPECT_TRUE(line.IsOver(Described(line)));
  line.Add(MakeWork(3));
  EXPECT_FALSE(line.IsOver(Described(line))) << "one that was on its way goes back, too";
}

TEST_F(TaskLineTest, ACancelledTaskIsStoppedAndOneThatWaitsForgotten) {
  TaskLine line(INT64_MAX);
  line.Add(MakeWork(1));
  const std::shared_ptr<Work> begun = line.NextToCompute();
  line.Add(MakeWork(2));
  line.Cancel("jobs/j/tasks/2", 1);
  EXPECT_EQ(Described(line).tasks_size(), 2) << "another lease";
  line.Cancel("jobs/j/tasks/2", 2);
  EXPECT_EQ(Described(line).tasks_size(), 1);
  EXPECT_EQ(Described(line).free_slots(), 1U);
  line.Cancel("jobs/j/tasks/1", 1);
  EXPECT_TRUE(begun->held.stop().stopped());
}

// It would otherwise wait as long as the delivery before it lasts.
TEST_F(TaskLineTest, ATaskThatIsCancelledWhileItWaitsToBeDeliveredMakesRoom) {
  TaskLine line(INT64_MAX);
  const std::shared_ptr<Work> first = Deliver(line, MakeWork(1));
  line.Add(MakeWork(2));
  const std::shared_ptr<Work> second = line.NextToCompute();
  std::future<void> computed = std::async([&] { line.Computed(second); });
  line.Cancel("jobs/j/tasks/2", 2);
  computed.get();
  EXPECT_EQ(Described(line).tasks_size(), 1);
}

// --- two at once ---

class TwoAtOnce : public TaskLineTest {
 protected:
  std::shared_ptr<Work> Begin(TaskLine& line, int number) { return Begin(line, MakeWork(number)); }
  static std::shared_ptr<Work> Begin(TaskLine& line, std::shared_ptr<Work> work) {
    line.Add(std::move(work));
    return line.NextToCompute();
  }
  // Two that are executed: one computes, one is loaded.
  std::pair<std::shared_ptr<Work>, std::shared_ptr<Work>> BeginTwo(TaskLine& line) {
    std::shared_ptr<Work> first = Begin(line, 1);
    EXPECT_TRUE(line.BeginComputing(first));
    return {first, Begin(line, 2)};
  }
  // Adds a task, and expects that it is not begun before `let` was called.
  template <typename Let>
  void ExpectBegunOnlyAfter(TaskLine& line, std::shared_ptr<Work> next, const char* why, const Let& let) {
    line.Add(next);
    std::future<std::shared_ptr<Work>> begun = std::async([&] { return line.NextToCompute(); });
    EXPECT_EQ(begun.wait_for(50ms), std::future_status::timeout) << why;
    let();
    EXPECT_EQ(begun.get(), next);
  }
  static std::vector<v1::TaskStage> Stages(TaskLine& line) {
    const v1::SynchronizeRequest request = Described(line);
    std::vector<v1::TaskStage> stages;
    for (const v1::TaskStatus& status : request.tasks()) stages.push_back(status.stage());
    return stages;
  }
};

using Listed = std::vector<v1::TaskStage>;

TEST_F(TwoAtOnce, OneIsLoadedWhileTheOtherComputesAndThenUnloadedBesideIt) {
  TaskLine line(INT64_MAX, 2);
  const std::shared_ptr<Work> first = Begin(line, 1), second = MakeWork(2);
  ExpectBegunOnlyAfter(line, second, "the first is still loaded", [&] { EXPECT_TRUE(line.BeginComputing(first)); });
  EXPECT_EQ(Stages(line), (Listed{v1::COMPUTING, v1::STAGED}));
  EXPECT_EQ(Described(line).free_slots(), 1U);
  EXPECT_EQ(second->held.computed().count(), 0);
  std::future<bool> turn = std::async([&] { return line.BeginComputing(second); });
  EXPECT_EQ(turn.wait_for(50ms), std::future_status::timeout) << "the first computes";
  line.EndComputing(first);
  EXPECT_TRUE(turn.get());
  EXPECT_EQ(Stages(line), (Listed{v1::DELIVERING, v1::COMPUTING}));
  const auto computed = first->held.computed();
  EXPECT_GT(computed.count(), 0);
  ExpectBegunOnlyAfter(line, MakeWork(3), "two are executed", [&] { line.Computed(first); });
  EXPECT_EQ(line.NextToDeliver(), first);
  EXPECT_EQ(first->held.computed(), computed) << "what follows is not its own";
  EXPECT_EQ(Stages(line), (Listed{v1::DELIVERING, v1::COMPUTING, v1::STAGED}));
}

TEST_F(TwoAtOnce, OneThatIsCancelledWhileItWaitsForItsTurnEnds) {
  TaskLine line(INT64_MAX, 2);
  const auto [first, second] = BeginTwo(line);
  std::future<bool> turn = std::async([&line, waits = second] { return line.BeginComputing(waits); });
  line.Cancel("jobs/j/tasks/2", 2);
  EXPECT_FALSE(turn.get());
  line.Remove(second);
  EXPECT_FALSE(first->held.stop().stopped());
  EXPECT_EQ(Stages(line), Listed{v1::COMPUTING});
}

TEST_F(TwoAtOnce, WhoeverComputesAndFailsLeavesTheTurnToTheNext) {
  TaskLine line(INT64_MAX, 2);
  const auto [first, second] = BeginTwo(line);
  std::future<bool> turn = std::async([&line, waits = second] { return line.BeginComputing(waits); });
  EXPECT_EQ(turn.wait_for(50ms), std::future_status::timeout);
  v1::TaskStatus report = first->held.Status();
  *report.mutable_error() = ToStored(absl::InternalError("no memory"));
  line.GiveUp(first, report);
  EXPECT_TRUE(turn.get());
  EXPECT_FALSE(second->held.stop().stopped());
  EXPECT_EQ(Described(line).tasks_size(), 2) << "the error, and the one that computes";
}

// As a tile does that did not fit and is computed in halves.
TEST_F(TwoAtOnce, OneThatComputesOnceMoreWaitsForTheOther) {
  TaskLine line(INT64_MAX, 2);
  const auto [first, second] = BeginTwo(line);
  line.EndComputing(first);
  EXPECT_TRUE(line.BeginComputing(second));
  std::future<bool> again = std::async([&line, waits = first] { return line.BeginComputing(waits); });
  EXPECT_EQ(again.wait_for(50ms), std::future_status::timeout);
  EXPECT_EQ(Stages(line), (Listed{v1::STAGED, v1::COMPUTING}));
  line.EndComputing(second);
  EXPECT_TRUE(again.get());
  EXPECT_EQ(Stages(line), (Listed{v1::COMPUTING, v1::DELIVERING}));
}

TEST_F(TwoAtOnce, WhatNeedsMoreThanItsPartIsExecutedAlone) {
  for (const int64_t lacking : {0, 2}) {
    TaskLine line(2 * Need() - lacking, 2);
    const std::shared_ptr<Work> first = Begin(line, 1);
    EXPECT_TRUE(line.BeginComputing(first));
    const std::shared_ptr<Work> second = MakeWork(2);
    if (lacking == 0) {
      EXPECT_EQ(Begin(line, second), second);
    } else {
      ExpectBegunOnlyAfter(line, second, "together they need more than there is", [&] { line.Remove(first); });
    }
  }
}

// Inputs and outputs that are streamed lie in the host's memory.
TEST_F(TwoAtOnce, WhatIsDeliveredOrStagedTakesNothingOfADevicesMemory) {
  TaskLine line(2 * Need(), 2);
  const std::shared_ptr<Work> first = Deliver(line, MakeWork(1));
  ASSERT_GT(first->footprint.delivering, 0);
  const std::shared_ptr<Work> second = Begin(line, 2), third = MakeWork(3);
  EXPECT_TRUE(line.BeginComputing(second));
  EXPECT_EQ(Begin(line, third), third);
  const std::shared_ptr<Work> fourth = MakeWork(4);
  line.Add(fourth);
  EXPECT_EQ(line.NextToReadAhead(), fourth);
}

TEST_F(TwoAtOnce, OtherKindsOfTasksAreExecutedAlone) {
  v1::Task learned = Task(2), analysis = Task(3);
  learned.mutable_tile()->add_models();
  analysis.mutable_analyse();
  for (const v1::Task& alone : {learned, analysis}) {
    TaskLine line(INT64_MAX, 2);
    const std::shared_ptr<Work> first = Begin(line, 1);
    EXPECT_TRUE(line.BeginComputing(first));
    const auto other = std::make_shared<Work>(*link_, worker_, alone);
    ExpectBegunOnlyAfter(line, other, "a tile computes", [&] { line.Remove(first); });
    EXPECT_TRUE(line.BeginComputing(other));
    line.EndComputing(other);
    EXPECT_EQ(Stages(line), Listed{v1::COMPUTING}) << "bringing its result out is part of it";
    ExpectBegunOnlyAfter(line, MakeWork(4), "it is no tile", [&] { line.Remove(other); });
  }
}

TEST_F(TwoAtOnce, ADrainingLineIsOverWhenBothAreDone) {
  TaskLine line(INT64_MAX, 2);
  const auto [first, second] = BeginTwo(line);
  line.Drain();
  EXPECT_FALSE(first->held.stop().stopped());
  EXPECT_FALSE(second->held.stop().stopped());
  line.Remove(first);
  EXPECT_TRUE(line.holds_any());
  EXPECT_TRUE(line.BeginComputing(second));
  EXPECT_FALSE(line.IsOver(Described(line)));
  line.Remove(second);
  EXPECT_TRUE(line.IsOver(Described(line)));
}

TEST_F(TwoAtOnce, TheEndReachesWhoeverWaitsForItsTurn) {
  TaskLine line(INT64_MAX, 2);
  const auto [first, second] = BeginTwo(line);
  std::future<bool> turn = std::async([&line, waits = second] { return line.BeginComputing(waits); });
  line.End();
  EXPECT_FALSE(turn.get());
  EXPECT_TRUE(first->held.stop().stopped());
}

// With one at a time a result that is brought out is still computed, and nothing else is begun.
TEST_F(TwoAtOnce, NothingIsBesideWhereTasksAreExecutedOneAtATime) {
  TaskLine line(INT64_MAX);
  const std::shared_ptr<Work> first = Begin(line, 1);
  EXPECT_TRUE(line.BeginComputing(first));
  line.EndComputing(first);
  EXPECT_EQ(Stages(line), Listed{v1::COMPUTING});
  ExpectBegunOnlyAfter(line, MakeWork(2), "one at a time", [&] { line.Computed(first); });
}

TEST_F(TaskLineTest, TheEndReachesEveryStage) {
  TaskLine line(INT64_MAX);
  std::future<std::shared_ptr<Work>> waiting[] = {std::async([&] { return line.NextToReadAhead(); }),
                                                  std::async([&] { return line.NextToCompute(); }),
                                                  std::async([&] { return line.NextToDeliver(); })};
  line.End();
  for (std::future<std::shared_ptr<Work>>& next : waiting) EXPECT_EQ(next.get(), nullptr);
}

}  // namespace
}  // namespace deconvoy::worker
