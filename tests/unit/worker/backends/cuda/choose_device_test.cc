#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "worker/backends/cuda/devices.h"

namespace deconvoy::worker::cuda {
namespace {

using ::testing::HasSubstr;

const std::vector<Device> kDevices = {
    {.index = 0, .name = "First", .uuid = "1234abcd-0000-1111-2222-333344445555", .memory_bytes = int64_t{80} << 30},
    {.index = 1, .name = "Second", .uuid = "1234ffff-0000-1111-2222-333344445555"},
    {.index = 2, .name = "Third", .uuid = "99990000-0000-1111-2222-333344445555"},
};

TEST(ChooseDeviceTest, ByIndexByUuidOrTheFirst) {
  for (const auto& [selector, index] : {std::pair{"", 0},
                                        {"0", 0},
                                        {"2", 2},
                                        {"1234f", 1},
                                        {"GPU-1234a", 0},
                                        {"MIG-99990000-0000-1111-2222-333344445555", 2},
                                        {"gpu-1234ABCD", 0}}) {
    ASSERT_OK_AND_ASSIGN(const Device device, ChooseDevice(kDevices, selector));
    EXPECT_EQ(device.index, index) << selector;
  }
}

TEST(ChooseDeviceTest, SaysWhatThereIs) {
  for (const char* selector : {"3", "12345", "abc", "GPU-", "1234", "-1", "0x"}) {
    const absl::Status status = ChooseDevice(kDevices, selector).status();
    EXPECT_EQ(ReasonOf(status), v1::NO_WORKER) << selector;
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("1 (GPU-1234ffff-0000-1111-2222-333344445555, Second)"));
  }
  const absl::Status none = ChooseDevice({}, "").status();
  EXPECT_THAT(std::string(none.message()), HasSubstr("no NVIDIA device"));
  EXPECT_THAT(InfoOf(none).remedy(), HasSubstr("CUDA_VISIBLE_DEVICES"));
}

TEST(ToAcceleratorTest, TellsDevicesFromInstances) {
  Device device = kDevices[1];
  device.driver = 13000;
  device.memory_bytes = 5;
  const v1::Accelerator whole = ToAccelerator(device);
  EXPECT_EQ(whole.index(), 1U);
  EXPECT_EQ(whole.uuid(), "GPU-1234ffff-0000-1111-2222-333344445555");
  EXPECT_EQ(whole.memory_bytes(), 5U);
  EXPECT_EQ(whole.driver(), "CUDA 13.0");
  device.driver_version = "580.65.06";
  EXPECT_EQ(ToAccelerator(device).driver(), "CUDA 13.0, driver 580.65.06");
  device.name = "NVIDIA A100 MIG 1g.5gb";
  EXPECT_EQ(ToAccelerator(device).uuid(), "MIG-1234ffff-0000-1111-2222-333344445555");
}

TEST(DriverVersionTest, IsTheFirstThatTheKernelTells) {
  EXPECT_EQ(DriverVersionIn("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
                            "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"),
            "535.104.05");
  EXPECT_EQ(DriverVersionIn("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"),
            "580.65.06");
  for (const char* const text : {"", "NVRM version", "2023 . .5 x.1"}) EXPECT_EQ(DriverVersionIn(text), "") << text;
}

TEST(DescribeTest, TellsWhatADeviceIs) {
  Device device = kDevices[0];
  device.compute_major = 9;
  device.driver = 13000;
  EXPECT_EQ(Describe(device), "First, 81920 MiB, compute capability 9.0, driver for CUDA 13.0");
  device.driver_version = "580.65.06";
  EXPECT_EQ(Describe(device), "First, 81920 MiB, compute capability 9.0, driver 580.65.06 for CUDA 13.0");
  EXPECT_EQ(VersionText(12080), "12.8");
}

}  // namespace
}  // namespace deconvoy::worker::cuda
