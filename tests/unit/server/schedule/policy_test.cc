#include "server/schedule/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace deconvoy::server {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class PolicyTest : public ::testing::Test {
 protected:
  // Submitted at `second`.
  static WaitingJob Job(const std::string& id, const std::string& owner, int second = 0,
                        v1::JobClass job_class = v1::NORMAL) {
    return {.id = id, .owner = owner, .create_time = absl::FromUnixSeconds(1'000 + second), .job_class = job_class};
  }
  void Spend(const std::string& owner, std::chrono::seconds time) {
    shares_.Begin(owner, now_);
    now_ += time;
    shares_.End(owner, now_);
  }
  // The order in which jobs are served.
  std::vector<std::string> Ranked(std::vector<WaitingJob> jobs, const std::string& last_job = "") const {
    policy_.Rank(jobs, now_, last_job);
    std::vector<std::string> ids;
    for (const WaitingJob& job : jobs) ids.push_back(job.id);
    return ids;
  }
  // Gives out so many tasks, one after the other; how many of them were of this class.
  int GiveOut(const std::vector<WaitingJob>& jobs, int tasks, v1::JobClass job_class) {
    int given = 0;
    for (int i = 0; i < tasks; ++i) {
      std::vector<WaitingJob> ranked = jobs;
      policy_.Rank(ranked, now_, "");
      policy_.NoteGiven(ranked[0], ranked);
      given += ranked[0].job_class == job_class ? 1 : 0;
    }
    return given;
  }

  Shares::SteadyTime now_{100h};
  Shares shares_{absl::Hours(1000), Shares::SteadyTime(1h), {}};
  std::map<std::string, Share> entitled_;
  FairShare policy_{{.lower_class_share = 0.05, .running_cap = 3}, shares_, [this](const std::string& owner) {
                      const auto found = entitled_.find(owner);
                      return found == entitled_.end() ? Share() : found->second;
                    }};
};

TEST_F(PolicyTest, TheOldestJobComesFirstWhereNobodyHasSpentAnything) {
  EXPECT_THAT(Ranked({Job("c", "u", 1), Job("b", "u"), Job("a", "v")}), ElementsAre("a", "b", "c"))
      << "of the same age: by id, so that every call agrees";
}

TEST_F(PolicyTest, WhoHasSpentLeastComesFirst) {
  Spend("u", 100s);
  Spend("v", 50s);
  EXPECT_THAT(Ranked({Job("1", "u", 1), Job("2", "v", 2), Job("3", "w", 3), Job("4", "u", 0)}),
              ElementsAre("3", "2", "4", "1"));
}

TEST_F(PolicyTest, WhatIsSpentCountsForTheWeight) {
  entitled_["u"].weight = 3;
  Spend("u", 100s);
  Spend("v", 50s);
  EXPECT_THAT(Ranked({Job("1", "v"), Job("2", "u")}), ElementsAre("2", "1"));
  Spend("u", 100s);
  EXPECT_THAT(Ranked({Job("1", "v"), Job("2", "u")}), ElementsAre("1", "2"));
}

TEST_F(PolicyTest, WhatIsHeldCountsBeforeItIsComputed) {
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}), ElementsAre("1", "2"));
  shares_.Hold("u", v1::NORMAL, 0);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}), ElementsAre("2", "1")) << "else one gets all idle workers";
}

TEST_F(PolicyTest, ClassesComeFirst) {
  Spend("u", 1000s);
  EXPECT_THAT(Ranked({Job("b", "w", 0, v1::BATCH), Job("n", "v", 1), Job("i", "u", 2, v1::INTERACTIVE)}),
              ElementsAre("i", "n", "b"));
}

TEST_F(PolicyTest, GroupsShareAlikeHoweverManyTheyAre) {
  entitled_["a1"].group = entitled_["a2"].group = entitled_["a3"].group = "a";
  entitled_["b1"].group = "b";
  for (const char* user : {"a1", "a2", "a3"}) Spend(user, 20s);
  Spend("b1", 50s);
  EXPECT_THAT(Ranked({Job("1", "a1"), Job("2", "b1")}), ElementsAre("2", "1")) << "60 of group a, 50 of b";
  Spend("b1", 20s);
  EXPECT_THAT(Ranked({Job("1", "a1"), Job("2", "b1")}), ElementsAre("1", "2"));
}

TEST_F(PolicyTest, WhatAGroupHasSpentCountsForItsWeight) {
  for (const char* user : {"a1", "a2", "a3"}) entitled_[user] = {.group = "a", .group_weight = 3};
  entitled_["b1"].group = "b";
  for (const char* user : {"a1", "a2", "a3"}) Spend(user, 40s);
  Spend("b1", 50s);
  EXPECT_THAT(Ranked({Job("1", "b1"), Job("2", "a1")}), ElementsAre("2", "1")) << "120 of group a, for three";
  Spend("a1", 40s);
  EXPECT_THAT(Ranked({Job("1", "b1"), Job("2", "a2")}), ElementsAre("1", "2")) << "160 of group a";
}

TEST_F(PolicyTest, AWorkerStaysWithItsJobByTheSecondsThatItsWholeGroupIsBehind) {
  entitled_["a1"] = {.group = "a", .group_weight = 4};
  for (const char* user : {"a1", "u"}) shares_.Learn(user, v1::NORMAL, absl::Seconds(10));
  Spend("a1", 108s);
  Spend("u", 25s);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "a1")}, "2"), ElementsAre("2", "1")) << "by 8 seconds, less than a task";
  Spend("a1", 4s);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "a1")}, "2"), ElementsAre("1", "2")) << "by 12 seconds";
}

TEST_F(PolicyTest, WithinAGroupItsUsersShare) {
  entitled_["a1"].group = entitled_["a2"].group = "a";
  entitled_["a2"].weight = 2;
  Spend("a1", 20s);
  Spend("a2", 30s);
  Spend("single", 45s);
  EXPECT_THAT(Ranked({Job("1", "a1"), Job("2", "a2"), Job("3", "single")}), ElementsAre("3", "2", "1"));
}

TEST_F(PolicyTest, WhoHoldsAsManyAsAllowedWaits) {
  entitled_["v"].running_cap = 1;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Ranked({Job("1", "u")}), ElementsAre("1"));
    shares_.Hold("u", v1::NORMAL, 0);
  }
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}), ElementsAre("2"));
  shares_.Hold("v", v1::NORMAL, 0);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}), ElementsAre());
  EXPECT_EQ(policy_.RunningCap("u"), 3);
  EXPECT_EQ(policy_.RunningCap("v"), 1);
  shares_.Release("u", v1::NORMAL);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}), ElementsAre("1"));
}

TEST_F(PolicyTest, AmongEqualsAWorkerStaysWithItsJob) {
  shares_.Learn("u", v1::NORMAL, absl::Seconds(10));
  shares_.Learn("v", v1::NORMAL, absl::Seconds(10));
  Spend("v", 9s);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}, "2"), ElementsAre("2", "1")) << "within one of its tasks";
  Spend("v", 2s);
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "v")}, "2"), ElementsAre("1", "2"));
  EXPECT_THAT(Ranked({Job("1", "u"), Job("2", "u", 1)}, "2"), ElementsAre("1", "2")) << "but in order within a user";
  EXPECT_THAT(Ranked({Job("1", "u", 0, v1::INTERACTIVE), Job("2", "w", 1)}, "2"), ElementsAre("1", "2"));
}

TEST_F(PolicyTest, InAGroupAWorkerStaysWithItsJobOnlyAmongEqualsOfTheGroup) {
  entitled_["a1"].group = entitled_["a2"].group = "a";
  for (const char* user : {"a1", "a2", "u"}) shares_.Learn(user, v1::NORMAL, absl::Seconds(10));
  Spend("a2", 30s);
  Spend("u", 25s);
  EXPECT_THAT(Ranked({Job("1", "a1"), Job("2", "a2"), Job("3", "u")}, "2"), ElementsAre("3", "1", "2"));
  EXPECT_THAT(Ranked({Job("1", "a1"), Job("2", "a2"), Job("3", "u")}, "1"), ElementsAre("1", "3", "2"));
}

TEST_F(PolicyTest, AClassThatWaitsGetsASmallShareOfTheTime) {
  for (const auto job_class : {v1::INTERACTIVE, v1::BATCH}) shares_.Learn("u", job_class, absl::Seconds(10));
  const std::vector<WaitingJob> jobs = {Job("i", "u", 0, v1::INTERACTIVE), Job("b", "u", 0, v1::BATCH)};
  EXPECT_NEAR(GiveOut(jobs, 1000, v1::BATCH), 50, 4);
}

TEST_F(PolicyTest, TheSmallShareIsOfTimeAndNotOfTasks) {
  shares_.Learn("u", v1::INTERACTIVE, absl::Seconds(1));
  shares_.Learn("u", v1::BATCH, absl::Seconds(100));
  const std::vector<WaitingJob> jobs = {Job("i", "u", 0, v1::INTERACTIVE), Job("b", "u", 0, v1::BATCH)};
  const int batch = GiveOut(jobs, 20'000, v1::BATCH);
  EXPECT_NEAR(100.0 * batch / (100.0 * batch + (20'000 - batch)), 0.05, 0.01);
}

TEST_F(PolicyTest, TwoClassesThatWaitBothGetTheirs) {
  for (const auto job_class : {v1::INTERACTIVE, v1::NORMAL, v1::BATCH}) {
    shares_.Learn("u", job_class, absl::Seconds(10));
  }
  const std::vector<WaitingJob> jobs = {Job("i", "u", 0, v1::INTERACTIVE), Job("n", "u"), Job("b", "u", 0, v1::BATCH)};
  EXPECT_GE(GiveOut(jobs, 1000, v1::NORMAL), 40);
  EXPECT_GE(GiveOut(jobs, 1000, v1::BATCH), 40);
}

TEST_F(PolicyTest, WhatAClassGetsAnywayIsNotAddedToItsShare) {
  for (const auto job_class : {v1::INTERACTIVE, v1::BATCH}) shares_.Learn("u", job_class, absl::Seconds(10));
  const WaitingJob preview = Job("i", "u", 0, v1::INTERACTIVE), batch = Job("b", "u", 0, v1::BATCH);
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(Ranked({preview, batch}), ElementsAre("i", "b")) << "batch jobs have most of the time";
    policy_.NoteGiven(preview, {preview, batch});
    for (int k = 0; k < 5; ++k) policy_.NoteGiven(batch, {batch});
  }
}

TEST_F(PolicyTest, AClassSavesNoMoreThanOneTask) {
  for (const auto job_class : {v1::INTERACTIVE, v1::BATCH}) shares_.Learn("u", job_class, absl::Seconds(10));
  const WaitingJob preview = Job("i", "u", 0, v1::INTERACTIVE), batch = Job("b", "u", 0, v1::BATCH);
  for (int i = 0; i < 1000; ++i) policy_.NoteGiven(preview, {preview, batch});  // this worker cannot do batch
  EXPECT_THAT(Ranked({preview, batch}), ElementsAre("b", "i"));
  policy_.NoteGiven(batch, {batch, preview});
  EXPECT_THAT(Ranked({preview, batch}), ElementsAre("i", "b"));
}

TEST_F(PolicyTest, APreviewDoesNotBringAboutTheTurnOfAClassOfShortTasks) {
  shares_.Learn("u", v1::BATCH, absl::Seconds(1));
  const WaitingJob preview = Job("i", "u", 0, v1::INTERACTIVE), batch = Job("b", "u", 0, v1::BATCH);
  policy_.NoteGiven(preview, {preview, batch});
  EXPECT_THAT(Ranked({preview, batch}), ElementsAre("i", "b"));
}

TEST_F(PolicyTest, WithoutAShareALowerClassWaitsForTheEnd) {
  FairShare strict({.lower_class_share = 0, .running_cap = 0}, shares_);
  std::vector<WaitingJob> jobs = {Job("i", "u", 0, v1::INTERACTIVE), Job("b", "u", 0, v1::BATCH)};
  for (int i = 0; i < 1000; ++i) {
    strict.Rank(jobs, now_, "");
    ASSERT_EQ(jobs[0].id, "i");
    strict.NoteGiven(jobs[0], jobs);
  }
}

}  // namespace
}  // namespace deconvoy::server
