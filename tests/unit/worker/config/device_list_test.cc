#include "worker/config/device_list.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "tests/support/test_support.h"
#include "worker/backends/cuda/devices.h"

namespace deconvoy::worker {
namespace {

TEST(DeviceReport, ComesBackFromItsJson) {
  v1::DeviceReport report;
  v1::Accelerator& device = *report.add_accelerators();
  device.set_index(3);
  device.set_uuid("GPU-8c1f");
  device.set_name("a \"card\"");
  device.set_memory_bytes(uint64_t{80} << 30);
  device.set_driver("CUDA 13.0");
  v1::DeviceReport read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ToJson(report), &read).ok());
  EXPECT_EQ(read.SerializeAsString(), report.SerializeAsString());
}

TEST(DeviceReport, NamesCardsAndInstancesAsTheDriverDoes) {
  cuda::Device device;
  device.index = 2;
  device.name = "NVIDIA H100 80GB HBM3";
  device.uuid = "8c1f02ab-0000-1111-2222-333344445555";
  device.memory_bytes = int64_t{80} << 30;
  device.driver = 13020;
  const v1::Accelerator card = cuda::ToAccelerator(device);
  EXPECT_EQ(card.index(), 2U);
  EXPECT_EQ(card.uuid(), "GPU-8c1f02ab-0000-1111-2222-333344445555");
  EXPECT_EQ(card.name(), device.name);
  EXPECT_EQ(card.memory_bytes(), uint64_t{80} << 30U);
  EXPECT_EQ(card.driver(), "CUDA 13.2");
  device.name = "NVIDIA H100 80GB HBM3 MIG 1g.10gb";
  EXPECT_EQ(cuda::ToAccelerator(device).uuid(), "MIG-8c1f02ab-0000-1111-2222-333344445555");
}

TEST(DeviceReport, SaysThatThereIsNone) {
  EXPECT_THAT(ToJson({}), ::testing::HasSubstr("\"accelerators\": []"));
}

TEST(DeviceReport, NamesEachDeviceWhole) {
  ASSERT_OK_AND_ASSIGN(const v1::DeviceReport report, ReportDevices());
  if (report.accelerators().empty()) GTEST_SKIP() << "SKIPPED: no NVIDIA device here";
  for (const v1::Accelerator& device : report.accelerators()) {
    EXPECT_THAT(device.uuid(), ::testing::AnyOf(::testing::StartsWith("GPU-"), ::testing::StartsWith("MIG-")));
    EXPECT_FALSE(device.name().empty());
    EXPECT_GT(device.memory_bytes(), uint64_t{1} << 28U);
    EXPECT_THAT(device.driver(), ::testing::StartsWith("CUDA "));
  }
}

}  // namespace
}  // namespace deconvoy::worker
