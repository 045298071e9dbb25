#include "server/store/schema.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class SchemaTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_.path() / "test.sqlite")); }

  int64_t Ask(std::string_view sql) {
    auto query = database_->Prepare(sql);
    EXPECT_OK(query);
    EXPECT_OK(query->Step());
    return query->Int(0);
  }

  const deconvoy::testing::TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(SchemaTest, NewDatabaseGetsTheCurrentVersion) {
  ASSERT_OK(Migrate(*database_));
  EXPECT_EQ(Ask("PRAGMA user_version"), kSchemaVersion);
  for (const char* table :
       {"volumes", "boxes", "jobs", "job_volumes", "tasks", "events", "requests", "counters", "psf_names", "psfs",
        "model_names", "models", "previews", "usage", "shares", "group_weights"}) {
    EXPECT_EQ(Ask(fmt::format("SELECT count(*) FROM sqlite_schema WHERE name = '{}'", table)), 1) << table;
  }
}

TEST_F(SchemaTest, MigratingAgainChangesNothing) {
  ASSERT_OK(Migrate(*database_));
  ASSERT_OK(database_->Execute("UPDATE counters SET value = 7"));
  ASSERT_OK(Migrate(*database_));
  EXPECT_EQ(Ask("SELECT value FROM counters WHERE name = 'token'"), 7);
}

TEST_F(SchemaTest, AnOlderDatabaseKeepsWhatItHas) {
  ASSERT_OK(Migrate(*database_, 1));
  ASSERT_OK(
      database_->Execute("INSERT INTO volumes VALUES (1, 'v1', 'local', 2, 5, x'', NULL, 128, 0);"
                         "UPDATE counters SET value = 9"));
  ASSERT_OK(Migrate(*database_));
  EXPECT_EQ(Ask("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(Ask("SELECT value FROM counters WHERE name = 'token'"), 9);
  EXPECT_EQ(Ask("SELECT count(*) FROM psfs"), 0);
  EXPECT_EQ(Ask("SELECT size_bytes FROM volumes"), 128);
  EXPECT_GT(Ask("SELECT last_used_ns FROM volumes"), int64_t{1'700'000'000} * 1'000'000'000) << "it is used now";
}

TEST_F(SchemaTest, NewerVersionIsRefusedNamingBoth) {
  ASSERT_OK(database_->Execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion + 4)));
  const absl::Status status = Migrate(*database_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), v1::INCOMPATIBLE_VERSION);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr(fmt::format("version {}", kSchemaVersion + 4)));
  EXPECT_THAT(message, HasSubstr(fmt::format("up to {}", kSchemaVersion)));
  EXPECT_THAT(message, HasSubstr(DECONVOY_VERSION));
  EXPECT_EQ(Ask("SELECT count(*) FROM sqlite_schema"), 0) << "the newer database was changed";
}

TEST_F(SchemaTest, FailedStepLeavesTheOldVersion) {
  ASSERT_OK(database_->Execute("CREATE TABLE tasks (in_the_way INTEGER)"));
  EXPECT_FALSE(Migrate(*database_).ok());
  EXPECT_EQ(Ask("PRAGMA user_version"), 0);
  EXPECT_EQ(Ask("SELECT count(*) FROM sqlite_schema WHERE name = 'volumes'"), 0);
}

}  // namespace
}  // namespace deconvoy::server
