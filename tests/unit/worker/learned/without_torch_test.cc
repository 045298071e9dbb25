// A build without LibTorch knows the networks and says why it has no models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/learned/network.h"
#include "worker/learned/training.h"

namespace deconvoy::worker::learned {
namespace {

class Silent final : public TrainingObserver {
 public:
  absl::Status Stepped(int64_t /*step*/, int64_t /*steps*/) override { return absl::OkStatus(); }
};

TEST(WithoutTorch, SaysThatItIsMissing) {
  EXPECT_FALSE(TheRuntime().available());
  EXPECT_TRUE(TheRuntime().devices.empty());
  EXPECT_NE(FindNetwork("rln"), nullptr);
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  Silent silent;
  for (const absl::Status& status : {LoadModel({}).status(), TrainPart({}, {}, 1, *backend, silent).status(),
                                     FinishTraining({}, {}, 1, *backend, silent).status()}) {
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("without LibTorch"));
    EXPECT_THAT(InfoOf(status).remedy(), ::testing::HasSubstr("DECONVOY_TORCH"));
  }
}

}  // namespace
}  // namespace deconvoy::worker::learned
