#include "server/errand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "server/store/state_folder.h"
#include "server/store/store.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A state folder with the record of a volume and a file that is not its own.
class ErrandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const StateFolder folder, StateFolder::Open(state_));
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Store> store, Store::Open(folder.database()));
    fs::create_directories(folder.spool() / "volumes");
    fs::create_directories(folder.spool() / "scratch");
    for (const char* id : {"kept", "lost"}) {
      VolumeRecord volume{.id = id, .owner = "local"};
      volume.spec.set_type(v1::U8);
      for (const auto set : {&v1::Shape5::set_t, &v1::Shape5::set_c, &v1::Shape5::set_z, &v1::Shape5::set_y})
        (volume.spec.mutable_shape()->*set)(1);
      volume.spec.mutable_shape()->set_x(4);
      ASSERT_OK(store->InsertVolume(volume, "", ""));
      std::ofstream(folder.spool() / "volumes" / (std::string(id) + ".raw")) << "abcd";
    }
  }
  fs::path FileOf(const std::string& id) const { return state_ / "spool/volumes" / (id + ".raw"); }

  // Its exit code; what it says is in out_ and err_.
  int Run(Errand errand, const fs::path& state, const std::string& backup = "", bool json = false) {
    Invocation invocation;
    invocation.config.state_folder = state.string();
    invocation.errand = errand;
    invocation.json = json;
    invocation.backup = backup;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = RunErrand(invocation);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const fs::path state_ = folder_.path() / "state";
  std::string out_, err_;
};

TEST_F(ErrandTest, ASoundFolderIsToldSo) {
  EXPECT_EQ(Run(Errand::kCheck, state_), 0) << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("sound: 2 volumes"));
}

TEST_F(ErrandTest, DamageIsFoundThenMended) {
  fs::remove(FileOf("lost"));
  EXPECT_EQ(Run(Errand::kCheck, state_, "", true), 1) << err_;
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["findings"][0]["kind"], "file-missing");
  EXPECT_EQ(json["findings"][0]["subject"], "volumes/lost");
  EXPECT_EQ(Run(Errand::kRepair, state_), 0) << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("file-missing")) << "says first what it mends";
  EXPECT_THAT(out_, HasSubstr("sound: 1 volumes"));
  EXPECT_EQ(Run(Errand::kCheck, state_), 0) << out_;
}

TEST_F(ErrandTest, WhatCannotBeMendedLeavesTheCodeOfAFinding) {
  for (const char* id : {"kept", "lost"}) fs::remove(FileOf(id));
  EXPECT_EQ(Run(Errand::kRepair, state_), 1) << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("spool-missing"));
}

TEST_F(ErrandTest, AFolderInUseOrOfSomethingElseIsRefused) {
  {
    ASSERT_OK_AND_ASSIGN(const StateFolder held, StateFolder::Open(state_));
    EXPECT_EQ(Run(Errand::kCheck, state_), 3);
    EXPECT_THAT(err_, HasSubstr("in use by another deconvoyd"));
  }
  EXPECT_EQ(Run(Errand::kCheck, folder_.path() / "none"), 3);
  EXPECT_THAT(err_, HasSubstr("--state"));
  EXPECT_FALSE(fs::exists(folder_.path() / "none"));
}

TEST_F(ErrandTest, ABackupIsMadeWhileAServerHoldsTheFolder) {
  ASSERT_OK_AND_ASSIGN(const StateFolder held, StateFolder::Open(state_));
  const std::string backup = (folder_.path() / "copy.sqlite").string();
  EXPECT_EQ(Run(Errand::kBackup, state_, backup), 0) << err_;
  EXPECT_EQ(out_, backup + "\n");
  EXPECT_EQ(Run(Errand::kBackup, state_, backup), 3) << "it replaces nothing";
  EXPECT_EQ(Run(Errand::kBackup, state_, folder_.path() / "none" / "copy.sqlite"), 3);
  EXPECT_THAT(err_, HasSubstr("is not there"));
  EXPECT_EQ(Run(Errand::kBackup, folder_.path() / "none", backup + "2"), 3);
  EXPECT_FALSE(fs::exists(backup + "2"));
}

}  // namespace
}  // namespace deconvoy::server
