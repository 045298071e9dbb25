// A power cut at every crash point that an upload, a job, a recording and the libraries of PSFs and models pass, and
// every single operation on the spool failing once. A cut takes every byte and every change of a name, of the spool and
// of the database, that was not synced.
#include <gmock/gmock.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/server/schedule/power_loss_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;

struct PowerCut {};

class PowerCutTest : public PowerLossTest {
 protected:
  // How often an undisturbed drive passes each crash point. Those that the service passes on a thread of its own, when
  // it hears of new planes, are left out: the drive waits for it, and what is durable before and after is what is so
  // at the points of the drive around it.
  std::map<std::string, int> PassesOf(const Drive& drive) {
    std::map<std::string, int> passes;
    SetCrashHook([&passes, self = std::this_thread::get_id()](std::string_view name) {
      if (std::this_thread::get_id() == self) ++passes[std::string(name)];
    });
    Model calm;
    EXPECT_OK(drive(calm));
    service_->Close();
    SetCrashHook(nullptr);
    return passes;
  }

  // Cuts the power at each of these passes, once for each.
  void CutAtEvery(const std::map<std::string, int>& passes, const Drive& drive) {
    for (const auto& [name, count] : passes) {
      for (int wanted = 1; wanted <= count && !HasFailure(); ++wanted) {
        SCOPED_TRACE(name + ":" + std::to_string(wanted));
        StartAnew();
        int passed = 0;
        SetCrashHook([&, point = name, self = std::this_thread::get_id()](std::string_view at) {
          if (std::this_thread::get_id() != self || at != point || ++passed != wanted) return;
          machine_->Halt();
          throw PowerCut();
        });
        Model model;
        EXPECT_THROW(drive(model).IgnoreError(), PowerCut);
        service_->Close();
        SetCrashHook(nullptr);
        machine_->LosePower();
        CheckModel(model);
        CheckEnd(drive, model);
      }
    }
  }
};

// The names of `passes`.
std::vector<std::string> NamesOf(const std::map<std::string, int>& passes) {
  std::vector<std::string> names;
  for (const auto& [name, count] : passes) names.push_back(name);
  return names;
}

TEST_F(PowerCutTest, AtEveryCrashPointThatIsPassed) {
  const std::map<std::string, int> passes = PassesOf(job_);
  EXPECT_THAT(NamesOf(passes),
              ElementsAre("deliver-after-commit", "deliver-before-commit", "deliver-before-transfer",
                          "job-after-insert", "job-before-insert", "step-after-apply", "step-before-apply",
                          "transfer-after-sync", "transfer-before-sync", "upload-after-commit", "upload-before-commit",
                          "upload-before-sync", "volume-after-complete", "volume-after-insert",
                          "volume-before-complete", "volume-before-insert", "volume-delete-before-file"));
  CutAtEvery(passes, job_);
}

TEST_F(PowerCutTest, AtEveryCrashPointOfTheLibraries) {
  std::map<std::string, int> passes = PassesOf(libraries_);
  // The others are passed on the way as the other drive passes them.
  std::erase_if(passes, [](const auto& pass) {
    return !pass.first.starts_with("psf-") && !pass.first.starts_with("model-") && !pass.first.starts_with("volume-");
  });
  EXPECT_THAT(NamesOf(passes),
              ElementsAre("model-after-insert", "model-before-insert", "model-delete-before-file", "psf-after-insert",
                          "psf-before-insert", "psf-delete-before-file", "volume-after-complete", "volume-after-insert",
                          "volume-before-complete", "volume-before-insert"));
  CutAtEvery(passes, libraries_);
}

TEST_F(PowerCutTest, AtEveryCrashPointOfARecording) {
  const std::map<std::string, int> passes = PassesOf(recording_);
  EXPECT_THAT(
      NamesOf(passes),
      ElementsAre("deliver-after-commit", "deliver-before-commit", "deliver-before-transfer", "job-after-insert",
                  "job-before-insert", "step-after-apply", "step-before-apply", "transfer-after-sync",
                  "transfer-before-sync", "upload-after-commit", "upload-before-commit", "upload-before-sync",
                  "volume-after-complete", "volume-after-insert", "volume-before-complete", "volume-before-insert"));
  CutAtEvery(passes, recording_);
}

class SpoolFaultsTest : public PowerLossTest, public ::testing::WithParamInterface<Fault> {
 protected:
  int FailEvery(const Drive& drive) {
    return FailEveryOperation(
        [this]() -> auto& { return service_->files(); }, GetParam(), drive);
  }
};

TEST_P(SpoolFaultsTest, OfEveryOperationLeaveTheServiceAliveAndWhole) {
  EXPECT_GT(FailEvery(job_), 20) << "too few operations were seen to fail";
}

TEST_P(SpoolFaultsTest, OfEveryOperationLeaveTheLibrariesWhole) {
  EXPECT_GT(FailEvery(libraries_), 20) << "too few operations were seen to fail";
}

TEST_P(SpoolFaultsTest, OfEveryOperationLeaveARecordingWhole) {
  EXPECT_GT(FailEvery(recording_), 20) << "too few operations were seen to fail";
}

INSTANTIATE_TEST_SUITE_P(Faults, SpoolFaultsTest,
                         ::testing::Values(Fault::kIoError, Fault::kNoSpace, Fault::kShortWrite),
                         [](const auto& instance) -> std::string {
                           return instance.param == Fault::kIoError   ? "IoError"
                                  : instance.param == Fault::kNoSpace ? "NoSpace"
                                                                      : "ShortWrite";
                         });

}  // namespace
}  // namespace deconvoy::server
