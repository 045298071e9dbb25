// What every store must keep of usage, of shares, and of the server as a whole.
#include <gmock/gmock.h>

#include "proto/contract/error.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::IsEmpty;

class StoreUsageTest : public StoreContractTest {
 protected:
  // `owner month worker_ms tasks bytes_in bytes_out` of every row.
  std::vector<std::string> Usage(const std::string& first = "", const std::string& last = "") {
    const auto records = store_->ListUsage(first, last);
    EXPECT_OK(records);
    std::vector<std::string> rows;
    for (const UsageRecord& record : *records) {
      rows.push_back(fmt::format("{} {} {} {} {} {}", record.owner, record.month, record.worker_ms, record.tasks,
                                 record.bytes_in, record.bytes_out));
    }
    return rows;
  }
};

TEST_P(StoreUsageTest, UsageAddsUpByOwnerAndMonth) {
  EXPECT_THAT(Usage(), IsEmpty());
  ASSERT_OK(
      store_->AddUsage({{.owner = "v", .month = "2026-01", .worker_ms = 1, .tasks = 2, .bytes_in = 3, .bytes_out = 4},
                        {.owner = "u", .month = "2026-02", .bytes_in = 5},
                        {.owner = "u", .month = "2026-01", .tasks = 6}}));
  ASSERT_OK(store_->AddUsage(
      {{.owner = "v", .month = "2026-01", .worker_ms = 10, .tasks = 20, .bytes_in = 30, .bytes_out = 40}}));
  Reopen();
  EXPECT_THAT(Usage(), ::testing::ElementsAre("u 2026-01 0 6 0 0", "u 2026-02 0 0 5 0", "v 2026-01 11 22 33 44"));
}

TEST_P(StoreUsageTest, MonthsBoundTheList) {
  for (const char* month : {"2025-12", "2026-01", "2026-02"}) {
    ASSERT_OK(store_->AddUsage({{.owner = "u", .month = month, .tasks = 1}}));
  }
  EXPECT_EQ(Usage("2026-01", "").size(), 2U);
  EXPECT_EQ(Usage("", "2026-01").size(), 2U);
  EXPECT_EQ(Usage("2026-01", "2026-01").size(), 1U);
  EXPECT_THAT(Usage("2026-03", ""), IsEmpty());
  EXPECT_THAT(Usage("2026-02", "2026-01"), IsEmpty());
}

TEST_P(StoreUsageTest, AStepOfAJobBringsUsageAndShare) {
  JobChange first{.job = MakeJob("j")};
  ASSERT_OK(store_->InsertJob(first, "r", "d"));
  JobChange step{.job = MakeJob("j")};
  step.usage = UsageRecord{.owner = "local", .month = "2026-01", .worker_ms = 1500, .tasks = 1};
  step.share = ShareRecord{.owner = "local", .spent_ms = 1400, .at_ms = 20};
  ASSERT_OK(store_->Apply(step));
  step.share->spent_ms = 2800;
  step.share->at_ms = 40;
  ASSERT_OK(store_->Apply(step));
  Reopen();
  EXPECT_THAT(Usage(), ::testing::ElementsAre("local 2026-01 3000 2 0 0"));
  ASSERT_OK_AND_ASSIGN(const auto shares, store_->ListShares());
  ASSERT_EQ(shares.size(), 1U);
  EXPECT_EQ(shares[0].owner, "local");
  EXPECT_EQ(shares[0].spent_ms, 2800) << "replaced";
  EXPECT_EQ(shares[0].at_ms, 40);
}

TEST_P(StoreUsageTest, AStepThatFailsBringsNothing) {
  JobChange step{.job = MakeJob("missing")};
  step.usage = UsageRecord{.owner = "local", .month = "2026-01", .tasks = 1};
  step.share = ShareRecord{.owner = "local", .spent_ms = 1, .at_ms = 1};
  EXPECT_EQ(ReasonOf(store_->Apply(step)), v1::NOT_FOUND);
  EXPECT_THAT(Usage(), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const auto shares, store_->ListShares());
  EXPECT_THAT(shares, IsEmpty());
}

TEST_P(StoreUsageTest, UsageOutlivesTheJob) {
  JobChange first{.job = MakeJob("j")};
  first.usage = UsageRecord{.owner = "local", .month = "2026-01", .tasks = 1};
  ASSERT_OK(store_->InsertJob(first, "r", "d"));
  ASSERT_OK(store_->DeleteJob("j"));
  EXPECT_EQ(Usage().size(), 1U);
}

TEST_P(StoreUsageTest, APauseIsKept) {
  const auto paused = [&] { return store_->IsPaused().value(); };
  EXPECT_FALSE(paused());
  ASSERT_OK(store_->SetPaused(true));
  Reopen();
  EXPECT_TRUE(paused());
  ASSERT_OK(store_->NextToken());
  ASSERT_OK(store_->SetPaused(false));
  Reopen();
  EXPECT_FALSE(paused());
}

TEST(MonthTest, MonthsAreThoseOfUtc) {
  EXPECT_EQ(MonthOf(absl::FromUnixSeconds(0)), "1970-01");
  EXPECT_EQ(MonthOf(absl::FromCivil(absl::CivilSecond(2026, 12, 1), absl::UTCTimeZone()) - absl::Seconds(1)),
            "2026-11");
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreUsageTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
