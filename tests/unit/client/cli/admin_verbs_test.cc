// The group `deconvoy admin`, pauses and classes of jobs, as whole commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proto/contract/error.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class AdminVerbsTest : public ProgramTest {
 protected:
  // A job that stays on the server; its name.
  std::string Submit(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"submit", File("raw.tif"), "--psf", File("psf.tif"), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result result = Served(arguments);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out.substr(0, result.out.find('\n'));
  }
};

TEST_F(AdminVerbsTest, TheGroupAloneShowsItsHelp) {
  const Result alone = Run({"admin"});
  EXPECT_EQ(alone.code, 0);
  EXPECT_EQ(alone.out, Run({"help", "admin"}).out);
  for (const char* verb : {"group", "pause", "resume", "drain", "undrain", "weight", "usage"}) {
    EXPECT_THAT(alone.out, HasSubstr(std::string("\n  ") + verb + " ")) << verb;
  }
}

TEST_F(AdminVerbsTest, TheServerIsPausedAndGoesOn) {
  const Result pause = Served({"admin", "pause"});
  EXPECT_EQ(pause.code, 0) << pause.err;
  EXPECT_EQ(pause.out, "the server gives out no task; 7 tasks wait, 0 are with workers\n");
  EXPECT_EQ(Served({"admin", "resume"}).out, "the server gives out tasks; 7 tasks wait, 0 are with workers\n");
  EXPECT_EQ(nlohmann::json::parse(Served({"admin", "pause", "--json"}).out)["paused"], true);
}

TEST_F(AdminVerbsTest, WorkersAreDrained) {
  EXPECT_EQ(Served({"admin", "drain", "w0"}).out, "workers/w0 takes no further task; it holds 0\n");
  EXPECT_EQ(Served({"admin", "undrain", "workers/w0"}).out, "workers/w0 takes tasks again\n");
  EXPECT_EQ(nlohmann::json::parse(Served({"admin", "drain", "w0", "--json"}).out)["state"], "DRAINING");
  EXPECT_EQ(Served({"admin", "drain", "w9"}).code, 3);
}

TEST_F(AdminVerbsTest, UsersAreWeighed) {
  EXPECT_EQ(Served({"admin", "weight", "alice", "2.5"}).out, "users/alice weighs 2.5\n");
  for (const char* weight : {"0", "-1", "nan", "much"}) {
    EXPECT_EQ(Served({"admin", "weight", "alice", weight}).code, 2) << weight;
  }
}

TEST_F(AdminVerbsTest, GroupsAreWeighedAndListed) {
  const Result set = Served({"admin", "group", "set", "imaging", "--weight", "2.5"});
  EXPECT_EQ(set.code, 0) << set.err;
  EXPECT_THAT(set.out, MatchesRegex("GROUP +WEIGHT +USERS *\nimaging +2.5 +0 *\n"));
  const Result list = Served({"admin", "group", "list"});
  EXPECT_THAT(list.out, HasSubstr("imaging"));
  EXPECT_THAT(list.out, HasSubstr("=zoo")) << "the second page";
  EXPECT_THAT(list.out, Not(HasSubstr("\x1b")));
  const nlohmann::json json =
      nlohmann::json::parse(Served({"admin", "group", "set", "imaging", "--weight", "3", "--json"}).out);
  EXPECT_EQ(json["weight"], 3);
  for (const char* weight : {"0", "-1", "nan", "much"}) {
    EXPECT_EQ(Served({"admin", "group", "set", "imaging", "--weight", weight}).code, 2) << weight;
  }
  EXPECT_EQ(Served({"admin", "group", "set", "imagign", "--weight", "2"}).code, 3);
}

TEST_F(AdminVerbsTest, UsageIsATableOrJsonOrCsv) {
  const std::vector<std::string> months = {"--from", "2026-01", "--to", "2026-02"};
  const auto usage = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"admin", "usage"};
    arguments.insert(arguments.end(), months.begin(), months.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Served(arguments);
  };
  const Result table = usage({});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("users/alice"));
  EXPECT_THAT(table.out, HasSubstr("2026-02"));
  EXPECT_THAT(table.out, HasSubstr("1.50"));
  EXPECT_EQ(usage({"--csv"}).out,
            "user,group,month,worker_seconds,tasks,bytes_in,bytes_out\r\n"
            "users/alice,\"'=lab,\"\"A\"\"\",2026-01,5400.250,3,2000000,0\r\n"
            "users/alice,\"'=lab,\"\"A\"\"\",2026-02,5400.250,3,2000000,0\r\n");
  const std::string json = usage({"--json"}).out;
  EXPECT_EQ(nlohmann::json::parse(json.substr(0, json.find('\n')))["worker_seconds"], 5400.25);
  EXPECT_EQ(usage({"--csv", "--json"}).code, 2);
}

TEST_F(AdminVerbsTest, AJobIsPausedAndGoesOn) {
  service_.HoldJobs();
  const std::string job = Submit();
  EXPECT_EQ(Served({"job", job, "--pause"}).out, job + " is paused\n");
  EXPECT_EQ(service_.jobs()[job].state(), v1::PAUSED);
  EXPECT_EQ(Served({"job", job, "--resume"}).out, job + " is running\n");
  EXPECT_EQ(nlohmann::json::parse(Served({"job", job, "--pause", "--json"}).out)["state"], "PAUSED");
  EXPECT_EQ(Served({"job", job, "--pause", "--resume"}).code, 2);
  EXPECT_EQ(Served({"job", job, "--pause", "--delete"}).code, 2);
  EXPECT_EQ(Served({"job", "none", "--pause"}).code, 3);
}

TEST_F(AdminVerbsTest, JobsHaveTheClassThatIsAskedFor) {
  const std::string usual = Submit(), urgent = Submit({"--class", "interactive"});
  EXPECT_EQ(service_.jobs()[usual].spec().job_class(), v1::NORMAL);
  EXPECT_EQ(service_.jobs()[urgent].spec().job_class(), v1::INTERACTIVE);
  const std::string batch = Submit({"--class", "batch"});
  EXPECT_EQ(service_.jobs()[batch].spec().job_class(), v1::BATCH);
  EXPECT_THAT(Served({"job", batch}).out, HasSubstr("class: batch\n"));
  EXPECT_EQ(RunJob({"--class", "urgent"}).code, 2);
}

// The stack has two channels of 3 x 8 x 9.
TEST_F(AdminVerbsTest, PreviewsOfARegionAreInteractive) {
  const std::vector<std::string> small = {"--region", "1:2,0:4,0:3"}, large = {"--region", "1:2,:,:"};
  const auto class_of = [this](const std::vector<std::string>& arguments) {
    const std::string job = Submit(arguments);
    return service_.jobs()[job].spec().job_class();
  };
  EXPECT_EQ(class_of(small), v1::INTERACTIVE);
  EXPECT_EQ(class_of(large), v1::NORMAL);
  EXPECT_EQ(class_of({small[0], small[1], "--class", "normal"}), v1::NORMAL);
  EXPECT_EQ(class_of({large[0], large[1], "--class", "batch"}), v1::BATCH);
}

TEST_F(AdminVerbsTest, AJobThatComputesThePsfIsOfTheSameClass) {
  const Result preview = Served({"submit", File("raw.tif"), "--quiet", "--region", "1:2,0:4,0:3", "--microscopy",
                                 "widefield", "--optics", "na=1.2,ri_immersion=1.333,emission_um=0.52"});
  ASSERT_EQ(preview.code, 0) << preview.err;
  const std::vector<v1::JobSpec> submitted = service_.submitted();
  ASSERT_GT(submitted.size(), 1U);
  EXPECT_TRUE(submitted.front().has_model_psf());
  for (const v1::JobSpec& job : submitted) EXPECT_EQ(job.job_class(), v1::INTERACTIVE) << job.ShortDebugString();
}

}  // namespace
}  // namespace deconvoy::client
