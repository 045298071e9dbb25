// Sessions whose executor takes two tiles at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/session/session_fixture.h"

namespace deconvoy::worker {
namespace {

// Copies a tile's input to its output, and stops at each step for as long as a test holds it there.
class SteppingExecutor : public TaskExecutor {
 public:
  enum class Step { kLoad, kCompute, kUnload };
  using At = std::pair<Step, uint64_t>;  // a step of the task with this token

  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override {
    const uint64_t token = task.token();
    std::vector<std::byte> bytes(64);
    RETURN_IF_ERROR(Pass({Step::kLoad, token}, context));
    RETURN_IF_ERROR(context.source().Read(task.inputs(0), {0, 0, {{}, {4, 4, 4}}}, bytes));
    RETURN_IF_ERROR(context.BeginComputing());
    RETURN_IF_ERROR(Pass({Step::kCompute, token}, context));
    if (failing.contains(token)) return absl::InternalError("made to fail");
    context.EndComputing();
    RETURN_IF_ERROR(Pass({Step::kUnload, token}, context));
    PieceWriter writer(task, context.sink());
    RETURN_IF_ERROR(writer.Append(bytes));
    v1::TaskResult result;
    result.mutable_tile();
    RETURN_IF_ERROR(writer.Finish(result));
    return result;
  }

  void Hold(const At& at) {
    Change([&] { held_.insert(at); });
  }
  void Release(const At& at) {
    Change([&] { held_.erase(at); });
  }
  void ReleaseAll() {
    Change([&] { held_.clear(); });
  }
  // Waits until a task has come to a step.
  bool Reached(const At& at) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return std::find(passed_.begin(), passed_.end(), at) != passed_.end(); });
  }
  // The tasks that came to a step, in order.
  std::vector<uint64_t> Came(Step step) {
    const std::lock_guard lock(mutex_);
    std::vector<uint64_t> tokens;
    for (const auto& [passed, token] : passed_) {
      if (passed == step) tokens.push_back(token);
    }
    return tokens;
  }

  std::set<uint64_t> failing;  // constant while tasks are executed

 private:
  template <typename What>
  void Change(const What& what) {
    const std::lock_guard lock(mutex_);
    what();
    changed_.notify_all();
  }
  absl::Status Pass(const At& at, TaskContext& context) {
    std::unique_lock lock(mutex_);
    passed_.push_back(at);
    changed_.notify_all();
    while (held_.contains(at) && !context.cancelled()) changed_.wait_for(lock, 5ms);
    return context.cancelled() ? absl::CancelledError("stopped") : absl::OkStatus();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<At> held_;       // guarded by mutex_
  std::vector<At> passed_;  // guarded by mutex_
};

using Step = SteppingExecutor::Step;

class SessionNeighbours : public Sessions {
 protected:
  SessionNeighbours() {
    used_executor_ = &stepping_;
    at_once_ = 2;
  }
  ~SessionNeighbours() override {
    stepping_.ReleaseAll();
    if (session_) session_->Leave();
    if (thread_.joinable()) thread_.join();
  }

  static uint64_t Token(int number) { return static_cast<uint64_t>(16 + number); }
  static std::string Name(int number) { return "jobs/j/tasks/" + std::to_string(number); }
  void Give(int number) { workers_.Give(Task(/*same_host=*/true, number)); }
  // Gives tasks 1 to `count`, at least 2. The first computes until it is released, the second is being loaded.
  void StartComputing(int count) {
    stepping_.Hold({Step::kCompute, Token(1)});
    Start();
    for (int number = 1; number <= count; ++number) Give(number);
    ASSERT_TRUE(stepping_.Reached({Step::kCompute, Token(1)}));
    ASSERT_TRUE(stepping_.Reached({Step::kLoad, Token(2)}));
  }
  // In whatever order: two that are unloaded at once may overtake one another.
  std::set<std::string> DeliveredNames() {
    std::set<std::string> names;
    for (const testing::Delivered& delivered : workers_.Deliveries()) names.insert(delivered.header.task());
    return names;
  }

  SteppingExecutor stepping_;
};

TEST_F(SessionNeighbours, LoadsTheNextAndUnloadsTheLastWhileOneComputes) {
  StartComputing(3);
  ASSERT_TRUE(Told({{Name(1), v1::COMPUTING}, {Name(2), v1::STAGED}, {Name(3), v1::STAGED}}));
  EXPECT_EQ(stepping_.Came(Step::kCompute), std::vector{Token(1)});
  stepping_.Hold({Step::kUnload, Token(1)});
  stepping_.Hold({Step::kCompute, Token(2)});
  stepping_.Release({Step::kCompute, Token(1)});
  ASSERT_TRUE(stepping_.Reached({Step::kCompute, Token(2)}));
  ASSERT_TRUE(Told({{Name(1), v1::DELIVERING}, {Name(2), v1::COMPUTING}, {Name(3), v1::STAGED}}));
  stepping_.ReleaseAll();
  ASSERT_TRUE(Delivered(3));
  EXPECT_EQ(stepping_.Came(Step::kCompute), (std::vector{Token(1), Token(2), Token(3)}));
  EXPECT_TRUE(GivenUp(workers_.Requests()).empty());
}

TEST_F(SessionNeighbours, DeliversOneThatWasLoadedBesideAnother) {
  StartComputing(2);
  stepping_.ReleaseAll();
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(DeliveredNames(), (std::set{Name(1), Name(2)}));
  std::ifstream file(folder_.path() / "scratch2", std::ios::binary);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  ASSERT_EQ(written.size(), 64U);
  EXPECT_EQ(std::memcmp(written.data(), Numbers(64).data(), 64), 0);
}

// The server takes it back for another worker, or its job is cancelled.
TEST_F(SessionNeighbours, OneThatWaitsForItsTurnCanBeTakenBack) {
  StartComputing(2);
  ASSERT_TRUE(Told({{Name(1), v1::COMPUTING}, {Name(2), v1::STAGED}}));
  workers_.Cancel(Name(2));
  ASSERT_TRUE(Told({{Name(1), v1::COMPUTING}}));
  Give(3);
  ASSERT_TRUE(stepping_.Reached({Step::kLoad, Token(3)})) << "its place is free";
  stepping_.ReleaseAll();
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(DeliveredNames(), (std::set{Name(1), Name(3)}));
  EXPECT_EQ(stepping_.Came(Step::kCompute), (std::vector{Token(1), Token(3)}));
  EXPECT_TRUE(GivenUp(workers_.Requests()).empty());
}

TEST_F(SessionNeighbours, OneThatComputesCanBeCancelledWithoutTheOther) {
  StartComputing(2);
  workers_.Cancel(Name(1));
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(DeliveredNames(), std::set{Name(2)});
}

TEST_F(SessionNeighbours, AnErrorIsThatOfOneTask) {
  stepping_.failing = {Token(1)};
  StartComputing(2);
  stepping_.ReleaseAll();
  const v1::TaskStatus status = WaitForGivenUp();
  EXPECT_EQ(status.task(), Name(1));
  EXPECT_TRUE(status.retry_elsewhere());
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(DeliveredNames(), std::set{Name(2)});
}

TEST_F(SessionNeighbours, ADrainingWorkerEndsBoth) {
  StartComputing(2);
  session_->Drain();
  ASSERT_TRUE(workers_.WaitFor([&] { return workers_.requests.back().draining(); }));
  stepping_.ReleaseAll();
  EXPECT_OK(Join());
  EXPECT_EQ(DeliveredNames(), (std::set{Name(1), Name(2)}));
}

TEST_F(SessionNeighbours, LeavingEndsAtOnceWhileOneWaitsForItsTurn) {
  StartComputing(3);
  session_->Leave();
  EXPECT_OK(JoinSoon());
  EXPECT_TRUE(workers_.Deliveries().empty());
}

}  // namespace
}  // namespace deconvoy::worker
