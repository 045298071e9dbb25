// What a pass of every network, and a step of its training, really takes, beside what it says.
#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "worker/learned/model_file.h"
#include "worker/learned/training.h"

namespace deconvoy::worker::learned {
namespace {

class MemoryOf : public ::testing::TestWithParam<NetworkKind> {};

TEST_P(MemoryOf, APassIsNoMoreThanItSays) {
  torch::Tensor psf = torch::rand({9, 9, 9});
  const auto network = MakeNetwork(GetParam().name, Head::kPlain, psf / psf.sum());
  DrawWeights(*network, testing::Seed());
  const std::string file = WriteContainer(ToContainer(*network, {.network = std::string(GetParam().name)}));
  ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(std::as_bytes(std::span(file))));
  const std::vector<float> small(8 * 8 * 8, 1.0F);
  ASSERT_OK(model->Apply(small, {8, 8, 8}, {}, 1));  // what is made once does not count
  const Shape3 box{64, 128, 128};
  const std::vector<float> values(static_cast<size_t>(box.voxels()), 1.0F);
  malloc_trim(0);  // nor what other tests have left, which would be used again
  const int64_t before = ResidentBytes();
  PeakBytes();
  ASSERT_OK(model->Apply(values, box, {}, 1));
  const int64_t peak = PeakBytes();
  if (peak == 0) GTEST_SKIP() << "SKIPPED: the system does not tell the peak";
  const auto taken = static_cast<double>(peak - before), said = static_cast<double>(model->MemoryBytes(box));
  RecordProperty("bytes_per_voxel", std::to_string(taken / static_cast<double>(box.voxels())));
  EXPECT_LE(taken, said) << taken / static_cast<double>(box.voxels()) << " bytes for each voxel";
}

class Silent final : public TrainingObserver {
 public:
  absl::Status Stepped(int64_t /*step*/, int64_t /*steps*/) override { return absl::OkStatus(); }
};

TEST_P(MemoryOf, AStepOfItsTrainingIsNoMoreThanItSays) {
  const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  const bool denoises = GetParam().purpose == Purpose::kDenoise;
  Recipe recipe{.network = std::string(GetParam().name), .source = denoises ? Source::kDenoise : Source::kTruth};
  recipe.psf = {std::vector<float>(9 * 9 * 9, 1.0F / (9 * 9 * 9)), {9, 9, 9}, {4, 4, 4}};
  recipe.patch = {64, 64, 64};
  recipe.specimens = recipe.validation = 1;
  recipe.seed = testing::Seed();
  Silent silent;
  malloc_trim(0);
  const int64_t before = ResidentBytes();
  PeakBytes();
  ASSERT_OK(TrainPart(recipe, {}, 1, *backend, silent));
  const int64_t peak = PeakBytes();
  if (peak == 0) GTEST_SKIP() << "SKIPPED: the system does not tell the peak";
  const auto voxels = static_cast<double>(recipe.patch.voxels()), taken = static_cast<double>(peak - before);
  RecordProperty("training_bytes_per_voxel", std::to_string(taken / voxels));
  EXPECT_LE(taken, GetParam().training_bytes_per_voxel * voxels + kSmallBoxBytes)
      << taken / voxels << " bytes for each voxel";
}

INSTANTIATE_TEST_SUITE_P(Networks, MemoryOf, ::testing::ValuesIn(AllNetworks().begin(), AllNetworks().end()),
                         [](const auto& test) {
                           std::string name(test.param.name);
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace deconvoy::worker::learned
