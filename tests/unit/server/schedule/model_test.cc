// Random workers that take, report, fail, vanish and deliver, users that submit and cancel, crashes and passing time,
// against a model that knows how every job must end.
#include <random>
#include <set>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

class ModelTest : public ::testing::Test {
 protected:
  struct Held {
    v1::Task task;
    size_t worker;
  };
  struct Expected {
    bool cancelled = false;
    bool doomed = false;              // a task failed beyond cure
    std::set<std::string> committed;  // tasks whose delivery was acknowledged
  };

  int Pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void Submit() {
    const Shape5 shape{1 + Pick(2), 1 + Pick(2), 2, 4 + Pick(5), 4};
    const Shape3 core{2, 4, 4};
    const v1::JobSpec spec =
        Pick(4) == 0 ? service_.Simulate() : service_.Deconvolve(shape, core, Pick(2) == 0 ? "previous" : "mean");
    expected_[service_.Submit(spec)];
  }
  void Take() {
    const auto worker = static_cast<size_t>(Pick(static_cast<int>(workers_.size())));
    const std::optional<v1::Task> task = Pick(2) == 0 ? workers_[worker].Take() : TakeWhileBusy(worker);
    if (!task) return;
    EXPECT_FALSE(Of(*task).committed.contains(task->name())) << "a task that is done is not given out again";
    EXPECT_GT(task->token(), newest_token_) << "tokens only rise";
    newest_token_ = task->token();
    held_.push_back({*task, worker});
  }
  // One more beside those that it holds, of which it says that it has begun some.
  std::optional<v1::Task> TakeWhileBusy(size_t worker) {
    std::vector<std::pair<v1::Task, v1::TaskStage>> named;
    for (const Held& held : held_) {
      if (held.worker == worker) named.emplace_back(held.task, static_cast<v1::TaskStage>(1 + Pick(3)));
    }
    const auto response = workers_[worker].AskForMore(named);
    EXPECT_OK(response);
    if (!response.ok() || response->assigned().empty()) return std::nullopt;
    return response->assigned(0);
  }
  Expected& Of(const v1::Task& task) { return expected_[ParseTaskName(task.name(), "")->job_id]; }
  bool IsNewest(const v1::Task& task) {
    const TaskId id = ParseTaskName(task.name(), "").value();
    return service_.jobs().Holds(id, task.token());
  }

  // Does something with one of the held tasks, of which some have been lost without their worker knowing.
  void UseHeld() {
    if (held_.empty()) return;
    const auto index = static_cast<size_t>(Pick(static_cast<int>(held_.size())));
    Held held = held_[index];
    TestWorker& worker = workers_[held.worker];
    const bool holds = IsNewest(held.task);
    const int action = Pick(20);
    if (action < 5) {
      EXPECT_EQ(worker.Continue(held.task, static_cast<uint32_t>(Pick(10))), holds);
      if (holds) return;
    } else if (action == 5 && Pick(6) == 0) {
      worker.GiveUp(held.task, MakeError({.reason = v1::NOT_FINITE_INPUT}, "NaN"), false);
      Of(held.task).doomed |= holds;
    } else if (action == 6) {
      worker.GiveUp(held.task, MakeError({.reason = v1::BAD_OUTPUT}, "zeros"));
    } else if (action < 18) {
      Deliver(held, holds);
    }
    // Else it vanishes without a word.
    held_.erase(held_.begin() + static_cast<ptrdiff_t>(index));
  }
  void Deliver(const Held& held, bool holds) {
    const bool done_before =
        Of(held.task).committed.contains(held.task.name() + "#" + std::to_string(held.task.token()));
    const absl::Status status = workers_[held.worker].Deliver(held.task);
    EXPECT_EQ(status.ok(), holds || done_before) << held.task.name() << ": " << status;
    if (!status.ok()) {
      EXPECT_EQ(ReasonOf(status), v1::STALE_LEASE);
      return;
    }
    Of(held.task).committed.insert(held.task.name());
    Of(held.task).committed.insert(held.task.name() + "#" + std::to_string(held.task.token()));
    const bool again = Pick(5) == 0;
    if (again) {
      EXPECT_OK(workers_[held.worker].Deliver(held.task));
    }
  }
  void Cancel() {
    if (expected_.empty()) return;
    auto job = expected_.begin();
    std::advance(job, Pick(static_cast<int>(expected_.size())));
    auto shown = service_.jobs().Cancel(JobService::kOwner, job->first);
    ASSERT_OK(shown);
    if (shown->state() == v1::CANCELLED) job->second.cancelled = true;
  }
  void Step() {
    const int action = Pick(100);
    if (action < 6) {
      Submit();
    } else if (action < 40) {
      Take();
    } else if (action < 88) {
      UseHeld();
    } else if (action < 97) {
      service_.Advance(absl::Seconds(Pick(7)));
    } else if (action < 98) {
      Cancel();
    } else if (action < 99) {
      service_.dispatcher().WorkerExited(static_cast<uint32_t>(Pick(static_cast<int>(workers_.size()))), Pick(2) == 0);
    } else {
      service_.Reopen();
    }
  }
  // An honest worker finishes everything.
  void Finish() {
    held_.clear();
    for (int i = 0; i < 40; ++i) {
      service_.Advance(absl::Seconds(60));
      workers_[0].WorkOff();
    }
  }
  void CheckEnd(const std::string& id, const Expected& expected) {
    const v1::Job job = service_.Get(id);
    SCOPED_TRACE(job.ShortDebugString());
    if (expected.cancelled) {
      EXPECT_EQ(job.state(), v1::CANCELLED);
    } else if (expected.doomed) {
      EXPECT_EQ(job.state(), v1::FAILED);
      EXPECT_EQ(job.error().info().reason(), v1::NOT_FINITE_INPUT);
    } else if (job.state() == v1::FAILED) {
      EXPECT_EQ(job.error().info().reason(), v1::ATTEMPTS_EXHAUSTED) << "only by the cap";
    } else if (job.spec().has_deconvolve()) {
      service_.CheckResult(job);
    } else {
      EXPECT_EQ(job.state(), v1::SUCCEEDED);
    }
    const std::vector<v1::JobEvent> events = service_.WatchAll(id);
    ASSERT_FALSE(events.empty());
    EXPECT_TRUE(events.back().has_ended());
    EXPECT_EQ(events.back().ended().state(), job.state());
    auto tasks = service_.store().GetTasks(id);
    ASSERT_OK(tasks);
    for (const TaskRecord& task : *tasks) {
      const bool committed = expected.committed.contains(TaskName(id, task.number));
      EXPECT_TRUE(!committed || task.state == TaskState::kDone) << task.number << ": what was acknowledged is done";
      EXPECT_TRUE(job.state() != v1::SUCCEEDED || task.state == TaskState::kDone) << task.number;
      EXPECT_GE(static_cast<int>(task.state), static_cast<int>(TaskState::kDone)) << "nothing is left open";
    }
  }

  JobService service_;
  std::mt19937_64 random_{testing::Seed()};
  std::vector<TestWorker> workers_;
  std::vector<Held> held_;
  std::map<std::string, Expected> expected_;
  uint64_t newest_token_ = 0;
};

TEST_F(ModelTest, EveryJobEndsAsItMust) {
  for (uint32_t i = 0; i < 4; ++i) {
    workers_.emplace_back(service_, "w" + std::to_string(i)).registration.set_process_id(i);
  }
  for (int i = 0; i < 700 && !HasFailure(); ++i) Step();
  Finish();
  size_t succeeded = 0;
  for (const auto& [id, expected] : expected_) {
    CheckEnd(id, expected);
    succeeded += service_.Get(id).state() == v1::SUCCEEDED;
  }
  EXPECT_GT(succeeded, expected_.size() / 3) << "of " << expected_.size();
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
  EXPECT_EQ(service_.jobs().CountTasks().ready + service_.jobs().CountTasks().leased, 0);
}

}  // namespace
}  // namespace deconvoy::server
