#include "worker/backends/cpu/fft_costs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/fft_costs.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::worker::cpu {
namespace {

std::set<int64_t> Extents(const google::protobuf::RepeatedPtrField<v1::FftCost>& costs) {
  std::set<int64_t> extents;
  for (const v1::FftCost& cost : costs) extents.insert(cost.extent());
  return extents;
}

uint32_t Least(const google::protobuf::RepeatedPtrField<v1::FftCost>& costs) {
  return std::min_element(costs.begin(), costs.end(), [](const auto& a, const auto& b) { return a.cost() < b.cost(); })
      ->cost();
}

TEST(FftCostsTest, WhatIsMeasuredIsKeptAndOffered) {
  const testing::TemporaryFolder folder;
  EXPECT_EQ(KeptFftCosts(folder.path()).columns_size(), 0) << "nothing has been measured";
  std::vector<int64_t> done;
  ASSERT_OK(MeasureFftCosts(28, folder.path(), [&](int64_t one, int64_t total) {
    EXPECT_EQ(total, 10);
    done.push_back(one);
  }));
  EXPECT_EQ(done, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  const v1::FftCosts kept = KeptFftCosts(folder.path());
  EXPECT_EQ(Extents(kept.columns()), (std::set<int64_t>{16, 18, 20, 21, 22, 24, 25, 26, 27, 28}));
  EXPECT_EQ(Extents(kept.rows()), (std::set<int64_t>{16, 18, 20, 22, 24, 26, 28}));
  EXPECT_EQ(Least(kept.columns()), 1000U);
  EXPECT_EQ(Least(kept.rows()), 1000U);
  EXPECT_OK(FftCosts::FromProto(kept).status());
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = folder.path()});
  EXPECT_EQ(backend->fft_costs().SerializeAsString(), kept.SerializeAsString());
}

TEST(FftCostsTest, DamagedCostsAreNotOffered) {
  const testing::TemporaryFolder folder;
  ASSERT_OK(MeasureFftCosts(16, folder.path(), [](int64_t, int64_t) {}));
  int spoiled = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".json") continue;
    std::ofstream(entry.path()) << R"({"columns":[{"extent":0,"cost":1000}]})";
    ++spoiled;
  }
  ASSERT_EQ(spoiled, 1);
  EXPECT_EQ(KeptFftCosts(folder.path()).columns_size(), 0);
}

TEST(FftCostsTest, AFolderThatCannotBeWrittenIsSaid) {
  const absl::Status status = MeasureFftCosts(16, "/proc/no-such-folder", [](int64_t, int64_t) {});
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
}

}  // namespace
}  // namespace deconvoy::worker::cpu
