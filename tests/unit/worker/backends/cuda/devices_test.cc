#include "worker/backends/cuda/devices.h"

#include <gtest/gtest.h>

#include "tests/support/test_support.h"

namespace deconvoy::worker::cuda {
namespace {

TEST(Devices, AreDescribedWhole) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Device> devices, ListDevices());
  if (devices.empty()) GTEST_SKIP() << "SKIPPED: no NVIDIA device here";
  for (size_t i = 0; i < devices.size(); ++i) {
    EXPECT_EQ(devices[i].index, static_cast<int>(i));
    EXPECT_FALSE(devices[i].name.empty());
    EXPECT_GT(devices[i].memory_bytes, int64_t{1} << 28);
    EXPECT_GE(devices[i].compute_major, 3);
  }
}

}  // namespace
}  // namespace deconvoy::worker::cuda
