#include "worker/backends/cuda/devices.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::worker::cuda {
namespace {

TEST(Devices, AreDescribedWhole) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Device> devices, ListDevices());
  if (devices.empty()) GTEST_SKIP() << "SKIPPED: no NVIDIA device here";
  for (size_t i = 0; i < devices.size(); ++i) {
    EXPECT_EQ(devices[i].index, static_cast<int>(i));
    EXPECT_FALSE(devices[i].name.empty());
    EXPECT_EQ(devices[i].uuid.size(), 36U);
    EXPECT_GT(devices[i].memory_bytes, int64_t{1} << 28);
    EXPECT_GE(devices[i].compute_major, 3);
    EXPECT_GE(devices[i].driver, 11000);
  }
}

TEST(Devices, WithoutOneTheBackendSaysSo) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Device> devices, ListDevices());
  if (!devices.empty()) GTEST_SKIP() << "SKIPPED: there is an NVIDIA device here";
  const absl::Status status = MakeCudaBackend({.device = ""}).status();
  EXPECT_EQ(ReasonOf(status), v1::NO_WORKER);
  EXPECT_FALSE(InfoOf(status).remedy().empty());
  EXPECT_NE(status.message().find(BuiltWithCuda() ? "no NVIDIA device" : "no CUDA"), std::string_view::npos) << status;
  EXPECT_EQ(CudaBudgetBytes("").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace deconvoy::worker::cuda
