#include "worker/backends/cuda/staging_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::cuda {
namespace {

class StagingPoolTest : public ::testing::Test {
 protected:
  StagingPoolTest() : runtime_(MakeEmulatedRuntime()), stream_(runtime_->MakeStream().value()) {}

  std::unique_ptr<StagingPool::Lent> Take(int64_t bytes) {
    auto lent = pool_->Take(*stream_, bytes);
    EXPECT_OK(lent);
    return *std::move(lent);
  }

  const std::unique_ptr<Runtime> runtime_;
  const std::unique_ptr<Stream> stream_;
  std::shared_ptr<StagingPool> pool_ = std::make_shared<StagingPool>();
};

TEST_F(StagingPoolTest, KeepsMemoryForTheNext) {
  auto first = Take(1000);
  auto second = Take(1000);
  void* const at = first->memory().data();
  EXPECT_NE(second->memory().data(), at);
  first.reset();
  const auto third = Take(900);
  EXPECT_EQ(third->memory().data(), at);
  ASSERT_OK_AND_ASSIGN(const std::span<std::byte> bytes, third->Bytes());
  EXPECT_EQ(bytes.size(), 900U);
}

TEST_F(StagingPoolTest, GivesNeitherTooLittleNorFarTooMuch) {
  auto fits = Take(1000);
  void* const kept = fits->memory().data();
  fits.reset();
  const auto more = Take(1001);
  EXPECT_NE(more->memory().data(), kept);
  const auto less = Take(499);
  EXPECT_NE(less->memory().data(), kept);
  const auto again = Take(500);
  EXPECT_EQ(again->memory().data(), kept);
}

// Of what is not asked for any more, the newest few are kept.
TEST_F(StagingPoolTest, KeepsAFew) {
  constexpr int64_t kCount = 12;
  std::vector<std::unique_ptr<StagingPool::Lent>> lent;
  std::vector<const void*> places;
  for (int64_t i = 0; i < kCount; ++i) {
    lent.push_back(Take(1000));
    places.push_back(lent.back()->memory().data());
  }
  for (auto& each : lent) each.reset();
  for (size_t i = kCount - 8; i < kCount; ++i) {
    lent[i] = Take(1000);
    EXPECT_EQ(lent[i]->memory().data(), places[i]);
  }
}

TEST_F(StagingPoolTest, WhatIsLentOutlivesThePool) {
  const auto lent = Take(64);
  pool_.reset();
  EXPECT_OK(lent->Bytes());
}

}  // namespace
}  // namespace deconvoy::worker::cuda
