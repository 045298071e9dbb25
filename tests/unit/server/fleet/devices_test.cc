#include "server/fleet/devices.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Accelerator Gpu(uint32_t index, const std::string& uuid) {
  v1::Accelerator device;
  device.set_index(index);
  device.set_uuid(uuid);
  device.set_name("Card");
  return device;
}

// A machine with two cards and a divided one, of which CUDA shows only the instance that it is asked for.
class ChooseDevicesTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<std::string>> Choose(const std::string& gpus) {
    const auto chosen = ChooseDevices(gpus, [this](const std::string& visible) { return List(visible); });
    if (!chosen.ok()) return chosen.status();
    std::vector<std::string> uuids;
    for (const v1::Accelerator& device : *chosen) uuids.push_back(device.uuid());
    return uuids;
  }

  absl::StatusOr<std::vector<v1::Accelerator>> List(const std::string& visible) {
    asked_.push_back(visible);
    if (!error_.ok()) return error_;
    if (visible.empty()) return seen_;
    if (visible == "MIG-22") return std::vector<v1::Accelerator>{Gpu(0, "MIG-2222")};
    return std::vector<v1::Accelerator>{};
  }

  std::vector<v1::Accelerator> seen_ = {Gpu(0, "GPU-1a"), Gpu(1, "GPU-1b")};
  std::vector<std::string> asked_;
  absl::Status error_;
};

TEST_F(ChooseDevicesTest, NoneIsNotEvenLookedFor) {
  EXPECT_THAT(*Choose("none"), ElementsAre());
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ChooseDevicesTest, AllAreThoseThatAreSeen) {
  EXPECT_THAT(*Choose("all"), ElementsAre("GPU-1a", "GPU-1b"));
  seen_.clear();
  EXPECT_THAT(*Choose("all"), ElementsAre()) << "a machine without one is none to refuse";
}

TEST_F(ChooseDevicesTest, AListNamesIndicesAndUuids) {
  EXPECT_THAT(*Choose("1"), ElementsAre("GPU-1b"));
  EXPECT_THAT(*Choose("GPU-1b,0"), ElementsAre("GPU-1b", "GPU-1a")) << "in its order";
  EXPECT_THAT(asked_, ElementsAre("", ""));
}

TEST_F(ChooseDevicesTest, AnInstanceIsFoundByItsUuid) {
  EXPECT_THAT(*Choose("0,MIG-22"), ElementsAre("GPU-1a", "MIG-22")) << "as CUDA_VISIBLE_DEVICES takes it";
  EXPECT_THAT(asked_, ElementsAre("", "MIG-22"));
}

TEST_F(ChooseDevicesTest, WhatIsNotThereIsRefusedWithWhatIs) {
  for (const char* gpus : {"2", "GPU-9", "0,7", "MIG-77"}) {
    const absl::Status refused = Choose(gpus).status();
    EXPECT_EQ(InfoOf(refused).field(), "workers.gpus") << gpus;
    EXPECT_EQ(ReasonOf(refused), v1::INVALID_FIELD);
    EXPECT_THAT(InfoOf(refused).remedy(), HasSubstr("1 (Card, GPU-1b)"));
  }
  EXPECT_THAT(std::string(Choose("GPU-1").status().message()), HasSubstr("several"));
  EXPECT_THAT(std::string(Choose("0,GPU-1a").status().message()), HasSubstr("twice"));
  seen_.clear();
  EXPECT_THAT(InfoOf(Choose("0").status()).remedy(), HasSubstr("deconvoy-worker --devices"));
}

TEST_F(ChooseDevicesTest, ADriverThatFailsIsSaid) {
  error_ = absl::InternalError("the driver is gone");
  EXPECT_EQ(Choose("all").status(), error_);
  EXPECT_EQ(Choose("0").status(), error_);
}

class ListerTest : public ::testing::Test {
 protected:
  DeviceLister Worker(const std::string& script) const {
    const auto path = folder_.path() / "worker";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return ListerOf(path);
  }
  testing::TemporaryFolder folder_;
};

TEST_F(ListerTest, AsksTheWorkerProgramForTheDevicesOfAnEnvironment) {
  const DeviceLister lister = Worker(
      "[ \"$*\" = '--devices --json' ] || exit 1\n"
      "echo "
      "'{\"accelerators\":[{\"index\":4,\"uuid\":\"'$CUDA_VISIBLE_DEVICES'\",\"memory_bytes\":\"99\"}],\"more\":1}'");
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Accelerator> devices, lister("MIG-5"));
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].index(), 4U);
  EXPECT_EQ(devices[0].uuid(), "MIG-5");
  EXPECT_EQ(devices[0].memory_bytes(), 99U);
}

TEST_F(ListerTest, AProgramThatDoesNotTellIsTheOperatorsToMend) {
  for (const char* script : {"exit 1", "echo no JSON", "kill -SEGV $$"}) {
    const absl::Status status = Worker(script)("").status();
    EXPECT_EQ(InfoOf(status).field(), "workers.command") << script;
  }
  EXPECT_EQ(InfoOf(ListerOf(folder_.path() / "none")("").status()).field(), "workers.command");
}

}  // namespace
}  // namespace deconvoy::server
