#include "server/observe/audit.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AuditTest : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = spdlog::default_logger();
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  void TearDown() override {
    spdlog::drop("audit");
    spdlog::set_default_logger(before_);
  }

  testing::TemporaryFolder folder_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(AuditTest, ALineSaysWhoFromWhereWhatAndWhatCameOfIt) {
  Audit({.who = "ada", .from = "ipv4:10.0.0.1:4", .what = "Jobs.Delete", .subject = "jobs/1", .outcome = "ok"});
  EXPECT_EQ(log_.str(),
            "info audit who=\"ada\" from=\"ipv4:10.0.0.1:4\" what=\"Jobs.Delete\" about=\"jobs/1\" outcome=\"ok\"\n");
}

TEST_F(AuditTest, NoPartCanLookLikeAnother) {
  Audit({.who = "",
         .from = "",
         .what = "W",
         .subject = "x\" outcome=\"ok\"\naudit who=\"root\x1b[31m\\",
         .outcome = "no"});
  const std::string line = log_.str();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  EXPECT_THAT(line, HasSubstr(R"(x\" outcome=\"ok\")"));
}

TEST_F(AuditTest, AFileOfItsOwnIsForItsOwnerAloneAndGrows) {
  const std::filesystem::path file = folder_.path() / "audit.log";
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(SetUpAudit(file));
    Audit({.who = "ada", .from = "unix:", .what = "Volumes.Delete", .subject = "volumes/1", .outcome = "ok"});
  }
  EXPECT_EQ(log_.str(), "");
  struct stat about {};
  ASSERT_EQ(stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  std::ifstream in(file);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) EXPECT_THAT(line, HasSubstr("about=\"volumes/1\""));
  EXPECT_EQ(lines, 2);
}

TEST_F(AuditTest, AFileThatCannotBeOpenedIsAnError) {
  const absl::Status status = SetUpAudit(folder_.path() / "missing" / "audit.log");
  EXPECT_THAT(std::string(status.message()), HasSubstr("audit.log"));
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace deconvoy::server
