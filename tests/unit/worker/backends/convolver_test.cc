#include "worker/backends/cpu/convolver.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker::cpu {
namespace {

TEST(ConvolverTest, HalfATransformIsKeptOfASymmetricPsf) {
  ThreadPool pool(1);
  ASSERT_OK_AND_ASSIGN(const auto convolver, Convolver::Make({4, 6, 8}, {}, &pool));
  ASSERT_OK_AND_ASSIGN(const auto symmetric, convolver->MakeOtf(std::vector<float>{1, 2, 1}, {1, 1, 3}, {0, 0, 1}));
  EXPECT_TRUE(symmetric->real());
  ASSERT_OK_AND_ASSIGN(const auto skew, convolver->MakeOtf(std::vector<float>{1, 2, 2}, {1, 1, 3}, {0, 0, 1}));
  EXPECT_FALSE(skew->real());
}

}  // namespace
}  // namespace deconvoy::worker::cpu
