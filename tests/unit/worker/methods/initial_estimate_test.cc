#include "worker/methods/initial_estimate.h"

#include <gtest/gtest.h>

namespace deconvoy::worker {
namespace {

TEST(InitialEstimate, NoiseToSignalIsThatOfAPoissonVariableWithinLimits) {
  EXPECT_FLOAT_EQ(NoiseToSignal(10, 110), 0.1F);
  EXPECT_EQ(NoiseToSignal(10, 10), 1);  // nothing but noise
  EXPECT_EQ(NoiseToSignal(10, 0), 1);   // a constant, or not measured
  EXPECT_EQ(NoiseToSignal(10, 15), 1);  // more noise than signal
  EXPECT_EQ(NoiseToSignal(1, 1e9F), 1e-4F);
}

}  // namespace
}  // namespace deconvoy::worker
