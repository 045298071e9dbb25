// Tiles of methods that take a denoiser, with a model for it.
#include <gtest/gtest.h>

#include <span>
#include <string>

#include "proto/contract/byte_volume.h"
#include "proto/contract/error.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "worker/learned/training.h"
#include "worker/pipeline/model_file.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class Unheard final : public learned::TrainingObserver {
 public:
  absl::Status Stepped(int64_t /*step*/, int64_t /*steps*/) override { return absl::OkStatus(); }
};

class TileDenoiser : public Tile, public ::testing::WithParamInterface<const char*> {
 protected:
  // A file of dncnn3d, which has hardly learned anything.
  void SetUp() override {
    if (!learned::TheRuntime().available()) GTEST_SKIP() << learned::TheRuntime().reason;
    learned::Recipe recipe;
    recipe.network = "dncnn3d";
    recipe.source = learned::Source::kDenoise;
    recipe.patch = {12, 16, 16};
    recipe.specimens = 4;
    recipe.validation = 1;
    recipe.steps = 20;
    recipe.learning_rate = 1e-3;
    Unheard unheard;
    ASSERT_OK_AND_ASSIGN(const auto part, learned::TrainPart(recipe, {}, recipe.steps, *backend_, unheard));
    ASSERT_OK_AND_ASSIGN(const auto trained, learned::FinishTraining(recipe, Bytes(part.state), 1, *backend_, unheard));
    file_ = trained.file;
    setting_.psf = Skewed();
    setting_.parameters = {{"iterations", "4"}};
  }

  void FillDenoised(MemoryTask& task) {
    Fill(setting_, Picture(setting_.frame), task);
    task.task.mutable_tile()->mutable_spec()->set_method(GetParam());
  }
  void AddModel(MemoryTask& task) {
    const v1::VolumeSpec volume = ByteVolume(static_cast<int64_t>(file_.size()));
    ASSERT_OK_AND_ASSIGN(const std::string bytes, ToFrameBytes(file_, volume));
    const v1::Shape5& s = volume.shape();
    task.AddInput("volumes/model", {s.t(), s.c(), s.z(), s.y(), s.x()}, volume.type(),
                  {Bytes(bytes).begin(), Bytes(bytes).end()});
    ASSERT_OK_AND_ASSIGN(const auto model, learned::LoadModel(Bytes(file_)));
    v1::TileTask& tile = *task.task.mutable_tile();
    tile.mutable_spec()->add_models("models/clean/versions/1");
    v1::ModelUse& use = *tile.add_models();
    use.set_name("models/clean/versions/1");
    use.set_volume("volumes/model");
    ASSERT_OK_AND_ASSIGN(*use.mutable_facts(), FactsOf(file_, *model));
  }
  std::vector<float> Result(bool with_model) {
    MemoryTask task;
    FillDenoised(task);
    if (with_model) AddModel(task);
    EXPECT_OK(Run(task));
    return FromBytes<float>(task.output);
  }

  Setting setting_;
  std::string file_;
};

TEST_P(TileDenoiser, TheModelTakesTheNoiseOut) {
  setting_.parameters["sigma"] = "1";
  const std::vector<float> learned = Result(true);
  EXPECT_NE(learned, Result(false));
  EXPECT_EQ(learned, Result(true)) << "kept for the next tile";
  setting_.parameters["sigma"] = "0";
  EXPECT_EQ(Result(true), Result(false)) << "no noise is to be taken out";
}

TEST_P(TileDenoiser, ModelsThatDoNotFitAreRefused) {
  MemoryTask two;
  FillDenoised(two);
  AddModel(two);
  *two.task.mutable_tile()->add_models() = v1::ModelUse(two.task.tile().models(0));
  EXPECT_EQ(ReasonOf(Run(two).status()), v1::INVALID_FIELD);
  MemoryTask spread;
  FillDenoised(spread);
  AddModel(spread);
  spread.task.mutable_tile()->mutable_spec()->set_spread(true);
  EXPECT_EQ(ReasonOf(Run(spread).status()), v1::INVALID_FIELD);
  MemoryTask other;
  FillDenoised(other);
  AddModel(other);
  other.task.mutable_tile()->mutable_spec()->set_method("rl");
  EXPECT_EQ(ReasonOf(Run(other).status()), v1::INVALID_FIELD);
}

std::string NameOf(const ::testing::TestParamInfo<const char*>& info) {
  return std::string(info.param) == "pnp-admm" ? "Admm" : "Ista";
}

INSTANTIATE_TEST_SUITE_P(Methods, TileDenoiser, ::testing::Values("pnp-admm", "pnp-ista"), NameOf);

}  // namespace
}  // namespace deconvoy::worker
