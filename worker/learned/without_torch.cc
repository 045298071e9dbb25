// Networks and training in a build without LibTorch: they say that it is missing.
#include "proto/contract/error.h"
#include "worker/learned/network.h"
#include "worker/learned/training.h"

namespace deconvoy::worker::learned {
namespace {

absl::Status Missing() {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "model",
                    .remedy = "Build the worker with -DDECONVOY_TORCH=ON, which needs LibTorch (libtorch-dev)."},
                   TheRuntime().reason);
}

}  // namespace

const Runtime& TheRuntime() {
  static const Runtime& runtime = *new Runtime{.reason = "this worker was built without LibTorch"};
  return runtime;
}

void SetThreads(int /*threads*/) {}

absl::StatusOr<std::unique_ptr<Model>> LoadModel(std::span<const std::byte> /*file*/, std::string_view /*device*/) {
  return Missing();
}

absl::StatusOr<TrainedPart> TrainPart(const Recipe& /*recipe*/, std::span<const std::byte> /*state*/,
                                      int64_t /*last_step*/, Backend& /*backend*/, TrainingObserver& /*observer*/) {
  return Missing();
}

absl::StatusOr<TrainedModel> FinishTraining(const Recipe& /*recipe*/, std::span<const std::byte> /*state*/,
                                            int64_t /*specimens*/, Backend& /*backend*/,
                                            TrainingObserver& /*observer*/) {
  return Missing();
}

}  // namespace deconvoy::worker::learned
