// Every single operation on the database failing once: an error of the disk, a full disk that takes half of a write, a
// sync that fails. Calls say so, the service goes on or is killed there, and starts whole.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/server/schedule/power_loss_fixture.h"

namespace deconvoy::server {
namespace {

class StoreFaultsTest : public PowerLossTest, public ::testing::WithParamInterface<Fault> {
 protected:
  int FailEvery(const Drive& drive, Then then) {
    return FailEveryOperation(
        [this]() -> auto& { return machine_->database; }, GetParam(), drive, then);
  }
};

TEST_P(StoreFaultsTest, LeaveTheServiceAliveAndWhole) {
  EXPECT_GT(FailEvery(job_, Then::kGoesOn), 20) << "too few operations were seen to fail";
}

TEST_P(StoreFaultsTest, LeaveTheLibrariesWhole) {
  EXPECT_GT(FailEvery(libraries_, Then::kGoesOn), 20) << "too few operations were seen to fail";
}

TEST_P(StoreFaultsTest, LeaveARecordingWhole) {
  EXPECT_GT(FailEvery(recording_, Then::kGoesOn), 20) << "too few operations were seen to fail";
}

// What could not be synced is there after all when only the process has died.
TEST_P(StoreFaultsTest, ThatKillTheServerLeaveItWhole) {
  EXPECT_GT(FailEvery(job_, Then::kIsKilled), 20) << "too few operations were seen to fail";
}

TEST_P(StoreFaultsTest, ThatKillTheServerLeaveARecordingWhole) {
  EXPECT_GT(FailEvery(recording_, Then::kIsKilled), 20) << "too few operations were seen to fail";
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
