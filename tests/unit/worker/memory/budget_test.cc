#include "worker/memory/budget.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

class Budget : public ::testing::Test {
 protected:
  void Write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void SetAvailable(int64_t kib) {
    Write(files_.meminfo, "MemTotal:       99999999 kB\nMemFree: 1 kB\nMemAvailable:   " + std::to_string(kib) +
                              " kB\nBuffers: 3 kB\n");
  }

  testing::TemporaryFolder folder_;
  const MemoryFiles files_{folder_.path() / "meminfo", folder_.path() / "cgroup", folder_.path() / "fs"};
};

TEST_F(Budget, IsSevenTenthsOfWhatIsAvailable) {
  SetAvailable(10 << 20);
  EXPECT_EQ(DefaultBudgetBytes(files_) >> 20, 7 * 1024);
}

TEST_F(Budget, StaysBelowTheLimitOfAGroupAboveTheProcess) {
  SetAvailable(10 << 20);
  Write(files_.cgroup_of_self, "0::/slice/service\n");
  Write(files_.cgroup_root / "slice/service/memory.max", "max\n");
  Write(files_.cgroup_root / "slice/memory.max", std::to_string(4 * kGiB));
  Write(files_.cgroup_root / "slice/memory.current", std::to_string(2 * kGiB));
  EXPECT_NEAR(static_cast<double>(DefaultBudgetBytes(files_)), 1.4 * kGiB, 64);
}

TEST_F(Budget, KnowsVersionOneGroups) {
  SetAvailable(10 << 20);
  Write(files_.cgroup_of_self, "12:cpu,cpuacct:/\n5:memory:/box\n");
  Write(files_.cgroup_root / "memory/box/memory.limit_in_bytes", std::to_string(kGiB));
  EXPECT_NEAR(static_cast<double>(DefaultBudgetBytes(files_)), 0.7 * kGiB, 64);
}

TEST_F(Budget, IsAtLeast64MiB) {
  SetAvailable(1000);
  EXPECT_EQ(DefaultBudgetBytes(files_), 64 << 20);
}

TEST_F(Budget, OfThisMachineIsSane) {
  EXPECT_GE(DefaultBudgetBytes(), 64 << 20);
}

TEST(TaskBytes, CountsPaddedVoxels) {
  EXPECT_EQ(TaskBytes({10, 20, 30}, 17), 102'000);
  EXPECT_EQ(TaskBytes({1, 1, 3}, 1.5), 5);
  EXPECT_EQ(TaskBytes({1 << 12, 1 << 12, 1 << 12}, 20), int64_t{20} << 36);
}

TEST(CheckBudget, RefusesMoreThanTheBudgetSayingBoth) {
  EXPECT_OK(CheckBudget(5 << 20, 5 << 20, "Take less."));
  const absl::Status status = CheckBudget((5 << 20) + 1, 5 << 20, "Take less.");
  EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY);
  EXPECT_EQ(InfoOf(status).remedy(), "Take less.");
  EXPECT_EQ(InfoOf(status).metadata().at("budget_bytes"), "5242880");
  EXPECT_NE(std::string(status.message()).find("needs 6 MiB of memory and this worker may use 5 MiB"),
            std::string::npos);
}

}  // namespace
}  // namespace deconvoy::worker
