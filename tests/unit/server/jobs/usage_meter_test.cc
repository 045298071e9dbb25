#include "server/jobs/usage_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_environment.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::IsEmpty;

class UsageMeterTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(store_, Store::Open(folder_.path() / "s.sqlite")); }
  std::vector<UsageRecord> Recorded() {
    const auto usage = store_->ListUsage("", "");
    EXPECT_OK(usage);
    return *usage;
  }

  const testing::TemporaryFolder folder_;
  testing::FakeClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_F(UsageMeterTest, WhatIsCountedIsRecordedSecondsLater) {
  UsageMeter meter(*store_, clock_);
  meter.Add("u", 1, 10);
  meter.Add("u", 2, 20);
  meter.Add("v", 0, 5);
  EXPECT_THAT(Recorded(), IsEmpty());
  clock_.Advance(std::chrono::seconds(10));
  meter.Add("u", 4, 0);
  ASSERT_EQ(Recorded().size(), 2U);
  EXPECT_EQ(Recorded()[0].owner, "u");
  EXPECT_EQ(Recorded()[0].month, MonthOf(clock_.Wall()));
  EXPECT_EQ(Recorded()[0].bytes_in, 7);
  EXPECT_EQ(Recorded()[0].bytes_out, 30);
  EXPECT_EQ(Recorded()[1].bytes_out, 5);
  meter.Add("u", 1, 0);
  EXPECT_EQ(Recorded()[0].bytes_in, 7) << "not with every call";
}

TEST_F(UsageMeterTest, ItIsRecordedAtTheEndAndWhenAskedFor) {
  {
    UsageMeter meter(*store_, clock_);
    meter.Add("u", 1, 0);
    ASSERT_OK(meter.Flush());
    EXPECT_EQ(Recorded()[0].bytes_in, 1);
    ASSERT_OK(meter.Flush());
    EXPECT_EQ(Recorded()[0].bytes_in, 1) << "once";
    meter.Add("u", 2, 0);
  }
  EXPECT_EQ(Recorded()[0].bytes_in, 3);
}

TEST_F(UsageMeterTest, NothingIsNotRecorded) {
  UsageMeter meter(*store_, clock_);
  meter.Add("u", 0, 0);
  ASSERT_OK(meter.Flush());
  EXPECT_THAT(Recorded(), IsEmpty());
}

}  // namespace
}  // namespace deconvoy::server
