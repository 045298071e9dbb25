// Every single operation on the database failing once: an error of the disk, a full disk that takes half of a write, a
// sync that fails. Calls say so, the service goes on or is killed there, and starts whole.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/server/schedule/power_loss_fixture.h"

namespace deconvoy::server {
namespace {

class StoreFaultsTest : public PowerLossTest, public ::testing::WithParamInterface<Fault> {
 protected:
  void FailEvery(const Drive& drive, Then then) {
    const int failed = FailEveryOperation(
        [this]() -> auto& { return machine_->database; }, GetParam(), drive, then);
    // What a full disk stops is put off more often than told.
    EXPECT_GT(failed, GetParam() == Fault::kShortWrite ? 10 : 20) << "too few operations were seen to fail";
  }
};

TEST_P(StoreFaultsTest, LeaveTheServiceAliveAndWhole) {
  FailEvery(job_, Then::kGoesOn);
}

TEST_P(StoreFaultsTest, LeaveTheLibrariesWhole) {
  FailEvery(libraries_, Then::kGoesOn);
}

TEST_P(StoreFaultsTest, LeaveARecordingWhole) {
  FailEvery(recording_, Then::kGoesOn);
}

// What could not be synced is there after all when only the process has died.
TEST_P(StoreFaultsTest, ThatKillTheServerLeaveItWhole) {
  FailEvery(job_, Then::kIsKilled);
}

TEST_P(StoreFaultsTest, ThatKillTheServerLeaveARecordingWhole) {
  FailEvery(recording_, Then::kIsKilled);
}

// On what a server has left that was killed.
TEST_P(StoreFaultsTest, OfAStartAreToldAndTheNextStartWorks) {
  int failures = 0;
  bool more = true;
  for (int64_t n = 1; more && !HasFailure(); ++n) {
    SCOPED_TRACE("operation " + std::to_string(n));
    StartAnew();
    Model model;
    ASSERT_OK(SendImage(model));
    machine_->Halt();
    service_->Close();
    machine_->service.files().Resume();
    machine_->database.Resume();
    machine_->database.FailAt(n, GetParam());
    const absl::Status started = service_->TryOpen();
    more = machine_->database.failed();
    machine_->database.FailAt(0, GetParam());
    if (!started.ok()) {
      ++failures;
      CheckError(started);
    }
    EXPECT_TRUE(more || started.ok()) << started;
    machine_->LosePower();
    CheckModel(model);
    CheckEnd(job_, model);
  }
  EXPECT_GT(failures, 5) << "too few operations were seen to fail";
}

INSTANTIATE_TEST_SUITE_P(Faults, StoreFaultsTest, ::testing::Values(Fault::kIoError, Fault::kShortWrite),
                         [](const auto& instance) -> std::string {
                           return instance.param == Fault::kIoError ? "IoError" : "ShortWrite";
                         });

}  // namespace
}  // namespace deconvoy::server
