// A day of a facility with many users, in about a second: simulated workers take tasks as the policy ranks them.
//
// Each test prints what users got and how long their jobs waited.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "server/schedule/policy.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using SteadyTime = Shares::SteadyTime;

constexpr double kDay = 24 * 3600;
constexpr int64_t kEndless = int64_t{1} << 40;

// 1 where all have the same, 1/n where one has all.
double JainIndex(const std::vector<double>& shares) {
  double sum = 0, squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return sum * sum / (static_cast<double>(shares.size()) * squares);
}

struct SimulatedJob {
  std::string owner;
  v1::JobClass job_class = v1::NORMAL;
  double submitted = 0;     // seconds since the beginning, as all times here
  double task_seconds = 0;  // of each of its tasks
  int64_t tasks = 1;
};

class Simulation {
 public:
  Simulation(int workers, const ShareOf& share_of = {}, double lower_class_share = 0.05)
      : policy_({.lower_class_share = lower_class_share, .running_cap = 0}, shares_, share_of), last_jobs_(workers) {
    for (int worker = 0; worker < workers; ++worker) idle_.push_back(worker);
  }

  void Submit(const SimulatedJob& job) { events_.push({.time = job.submitted, .job = job}); }

  void Run(double until) {
    while (!events_.empty() && events_.top().time <= until) {
      const Event event = events_.top();
      events_.pop();
      if (event.worker < 0) {
        Add(event.job);
      } else {
        Finish(event);
      }
      while (!idle_.empty() && GiveTask(idle_.back(), event.time)) idle_.pop_back();
    }
  }

  // Worker-seconds of what was given out.
  double Got(const std::string& owner) const { return got_.contains(owner) ? got_.at(owner) : 0; }
  double Got(v1::JobClass job_class) const {
    return got_by_class_.contains(job_class) ? got_by_class_.at(job_class) : 0;
  }
  // Seconds that jobs of this class waited for their first task, in rising order.
  std::vector<double> Waits(v1::JobClass job_class) {
    std::sort(waits_[job_class].begin(), waits_[job_class].end());
    return waits_[job_class];
  }
  int64_t given() const { return given_; }

 private:
  struct Event {
    double time = 0;
    int worker = -1;   // that ends a task of `job`; negative where the job is submitted
    SimulatedJob job;  // as it was then

    bool operator<(const Event& other) const { return time > other.time; }  // the earliest on top
  };
  struct Live {
    SimulatedJob job;
    WaitingJob waiting;
    bool begun = false;
  };

  static SteadyTime At(double seconds) {
    return SteadyTime(std::chrono::hours(1)) + std::chrono::milliseconds(std::llround(1e3 * seconds));
  }

  void Add(const SimulatedJob& job) {
    const std::string id = fmt::format("{:06}", ++jobs_);
    live_[id] = {.job = job,
                 .waiting = {.id = id,
                             .owner = job.owner,
                             .create_time = absl::UnixEpoch() + absl::Seconds(job.submitted),
                             .tasks = job.tasks,
                             .job_class = job.job_class}};
  }

  void Finish(const Event& event) {
    shares_.End(event.job.owner, At(event.time));
    shares_.Release(event.job.owner, event.job.job_class);
    shares_.Learn(event.job.owner, event.job.job_class, absl::Seconds(event.job.task_seconds));
    idle_.push_back(event.worker);
  }

  bool GiveTask(int worker, double time) {
    std::vector<WaitingJob> waiting;
    for (const auto& [id, live] : live_) waiting.push_back(live.waiting);
    policy_.Rank(waiting, At(time), last_jobs_[static_cast<size_t>(worker)]);
    if (waiting.empty()) return false;
    Live& live = live_.at(waiting[0].id);
    shares_.Hold(live.job.owner, live.job.job_class, 0);
    shares_.Begin(live.job.owner, At(time));
    policy_.NoteGiven(waiting[0], waiting);
    last_jobs_[static_cast<size_t>(worker)] = waiting[0].id;
    if (!std::exchange(live.begun, true)) waits_[live.job.job_class].push_back(time - live.job.submitted);
    got_[live.job.owner] += live.job.task_seconds;
    got_by_class_[live.job.job_class] += live.job.task_seconds;
    ++given_;
    events_.push({.time = time + live.job.task_seconds, .worker = worker, .job = live.job});
    if (--live.waiting.tasks == 0) live_.erase(waiting[0].id);
    return true;
  }

  Shares shares_{absl::Hours(24), At(0), {}};
  FairShare policy_;
  std::vector<std::string> last_jobs_;  // by worker
  std::vector<int> idle_;
  std::priority_queue<Event> events_;
  std::map<std::string, Live> live_;
  std::map<std::string, double> got_;
  std::map<v1::JobClass, double> got_by_class_;
  std::map<v1::JobClass, std::vector<double>> waits_;
  int64_t jobs_ = 0, given_ = 0;
};

void PrintWaits(Simulation& simulation) {
  fmt::print("{:12} {:>7} {:>12} {:>12} {:>12} {:>14}\n", "class", "jobs", "median wait", "95 %", "longest",
             "worker hours");
  for (const auto job_class : {v1::INTERACTIVE, v1::NORMAL, v1::BATCH}) {
    const std::vector<double> waits = simulation.Waits(job_class);
    if (waits.empty()) continue;
    fmt::print("{:12} {:7} {:10.1f} s {:10.1f} s {:10.1f} s {:14.1f}\n", v1::JobClass_Name(job_class), waits.size(),
               waits[waits.size() / 2], waits[waits.size() * 95 / 100], waits.back(), simulation.Got(job_class) / 3600);
  }
  std::cout << std::flush;
}

TEST(FairnessSimulationTest, UsersWithWorkWaitingGetTheSameWhateverTheSizesOfTheirTasks) {
  Simulation simulation(20);
  std::vector<std::string> users;
  for (int i = 0; i < 50; ++i) {
    // From 15 seconds to half an hour, most of them small.
    users.push_back(fmt::format("user{:02}", i));
    simulation.Submit({.owner = users.back(), .task_seconds = 15 * std::pow(120.0, i / 49.0), .tasks = kEndless});
  }
  simulation.Run(kDay);
  std::vector<double> got;
  for (const std::string& user : users) got.push_back(simulation.Got(user));
  fmt::print("{} tasks; worker hours of a user: from {:.2f} to {:.2f}; Jain index {:.4f}\n", simulation.given(),
             *std::min_element(got.begin(), got.end()) / 3600, *std::max_element(got.begin(), got.end()) / 3600,
             JainIndex(got));
  EXPECT_GE(JainIndex(got), 0.95);
}

// A user with a thousand jobs gets as much as one with one.
TEST(FairnessSimulationTest, ManyJobsGiveNoMoreThanOne) {
  Simulation simulation(4);
  for (int i = 0; i < 1000; ++i) simulation.Submit({.owner = "many", .task_seconds = 60, .tasks = 100});
  simulation.Submit({.owner = "one", .task_seconds = 60, .tasks = kEndless});
  simulation.Run(3 * 3600);
  EXPECT_NEAR(simulation.Got("one") / simulation.Got("many"), 1, 0.05);
}

TEST(FairnessSimulationTest, WeightsAndGroupsShareInProportion) {
  Simulation simulation(10, [](const std::string& owner) -> Share {
    if (owner == "heavy") return {.weight = 3, .group = "a"};
    if (owner == "light") return {.weight = 1, .group = "a"};
    if (owner == "single") return {.weight = 2};
    return {.weight = 1, .group = "b"};
  });
  for (const char* owner : {"heavy", "light", "single", "b1", "b2"}) {
    simulation.Submit({.owner = owner, .task_seconds = 100, .tasks = kEndless});
  }
  simulation.Run(kDay);
  const double quarter = 10 * kDay / 4;
  fmt::print("{:8} {:>6}\n", "user", "share");
  for (const char* owner : {"heavy", "light", "single", "b1", "b2"}) {
    fmt::print("{:8} {:5.1f} %\n", owner, 25 * simulation.Got(owner) / quarter);
  }
  std::cout << std::flush;
  EXPECT_NEAR(simulation.Got("heavy") / quarter, 0.75, 0.04);
  EXPECT_NEAR(simulation.Got("light") / quarter, 0.25, 0.04);
  EXPECT_NEAR(simulation.Got("single") / quarter, 2, 0.08);
  EXPECT_NEAR(simulation.Got("b1") / quarter, 0.5, 0.04);
  EXPECT_NEAR(simulation.Got("b2") / quarter, 0.5, 0.04);
}

// A lab of four gets four times what one user gets where it weighs as much.
TEST(FairnessSimulationTest, GroupsShareByTheirWeights) {
  Simulation simulation(10, [](const std::string& owner) -> Share {
    if (owner.starts_with("lab")) return {.group = "lab", .group_weight = 4};
    if (owner == "single") return {};
    return {.group = "pair"};
  });
  const std::vector<std::string> owners = {"lab1", "lab2", "lab3", "lab4", "single", "pair1", "pair2"};
  for (const std::string& owner : owners) simulation.Submit({.owner = owner, .task_seconds = 100, .tasks = kEndless});
  simulation.Run(kDay);
  const double sixth = 10 * kDay / 6;
  fmt::print("{:8} {:>6}\n", "user", "share");
  for (const std::string& owner : owners)
    fmt::print("{:8} {:5.1f} %\n", owner, 100 * simulation.Got(owner) / sixth / 6);
  std::cout << std::flush;
  for (const char* owner : {"lab1", "lab2", "lab3", "lab4"})
    EXPECT_NEAR(simulation.Got(owner) / sixth, 1, 0.04) << owner;
  EXPECT_NEAR(simulation.Got("single") / sixth, 1, 0.04);
  for (const char* owner : {"pair1", "pair2"}) EXPECT_NEAR(simulation.Got(owner) / sixth, 0.5, 0.04) << owner;
}

// Somebody who was away gets what they missed of late, but not all of it.
TEST(FairnessSimulationTest, WhoWasAwayComesFirstForAWhile) {
  Simulation simulation(4);
  simulation.Submit({.owner = "busy", .task_seconds = 60, .tasks = kEndless});
  simulation.Submit({.owner = "back", .submitted = kDay / 2, .task_seconds = 60, .tasks = kEndless});
  simulation.Run(kDay / 2 + 3600);
  EXPECT_GT(simulation.Got("back"), 0.95 * 4 * 3600);
  simulation.Run(5 * kDay);
  EXPECT_NEAR(simulation.Got("back") / simulation.Got("busy"), 1, 0.25);
}

TEST(FairnessSimulationTest, APreviewWaitsForOneTileAtMost) {
  constexpr double kTile = 600;
  Simulation simulation(1);
  simulation.Submit({.owner = "batch", .job_class = v1::BATCH, .task_seconds = kTile, .tasks = kEndless});
  std::mt19937_64 random(testing::Seed());
  std::uniform_real_distribution<double> within_the_hour(0, 3600);
  for (int hour = 0; hour < 24; ++hour) {
    simulation.Submit({.owner = "preview",
                       .job_class = v1::INTERACTIVE,
                       .submitted = 3600 * hour + within_the_hour(random),
                       .task_seconds = 5});
  }
  simulation.Run(2 * kDay);
  PrintWaits(simulation);
  const std::vector<double> waits = simulation.Waits(v1::INTERACTIVE);
  ASSERT_EQ(waits.size(), 24U);
  EXPECT_LE(waits.back(), kTile + 5 * 24) << "with the previews that came before it meanwhile";
  EXPECT_LE(waits[12], kTile);
}

TEST(FairnessSimulationTest, BatchJobsGetTheirSmallShareBesidePreviewsWithoutEnd) {
  Simulation simulation(4);
  simulation.Submit({.owner = "batch", .job_class = v1::BATCH, .task_seconds = 600, .tasks = kEndless});
  simulation.Submit({.owner = "eager", .job_class = v1::INTERACTIVE, .task_seconds = 5, .tasks = kEndless});
  simulation.Run(kDay);
  PrintWaits(simulation);
  const double part = simulation.Got(v1::BATCH) / (4 * kDay);
  EXPECT_GE(part, 0.04);
  EXPECT_LE(part, 0.07);
}

// Fifty users: five with batch jobs all day, most with some jobs of very different sizes, and previews by all.
TEST(FairnessSimulationTest, ADayOfAFacility) {
  constexpr int kWorkers = 20;
  Simulation simulation(kWorkers);
  std::mt19937_64 random(testing::Seed());
  std::uniform_real_distribution<double> any_time(0, 0.9 * kDay);
  std::lognormal_distribution<double> tiles(2.5, 1.2), seconds(4, 0.8);
  std::vector<std::string> all_day;
  for (int i = 0; i < 50; ++i) {
    const std::string user = fmt::format("user{:02}", i);
    for (int k = 0; k < 6; ++k) {
      simulation.Submit({.owner = user,
                         .submitted = any_time(random),
                         .task_seconds = std::min(seconds(random), 600.0),
                         .tasks = 1 + std::min<int64_t>(std::llround(tiles(random)), 300)});
    }
    for (int k = 0; k < 20; ++k) {
      simulation.Submit(
          {.owner = user, .job_class = v1::INTERACTIVE, .submitted = any_time(random), .task_seconds = 5});
    }
    if (i % 10 != 0) continue;
    all_day.push_back(user + "-batch");
    simulation.Submit({.owner = all_day.back(),
                       .job_class = v1::BATCH,
                       .task_seconds = 30.0 * (1 + i),  // to 20 minutes
                       .tasks = kEndless});
  }
  simulation.Run(kDay);
  PrintWaits(simulation);
  std::vector<double> got;
  for (const std::string& user : all_day) got.push_back(simulation.Got(user));
  fmt::print("{} tasks; Jain index of those with work waiting all day: {:.4f}\n", simulation.given(), JainIndex(got));
  EXPECT_GE(JainIndex(got), 0.95);
  EXPECT_LE(simulation.Waits(v1::INTERACTIVE).back(), 30.0 * 41) << "one tile of the longest";
  EXPECT_GE(simulation.Got(v1::BATCH), 0.04 * kWorkers * kDay);
}

}  // namespace
}  // namespace deconvoy::server
