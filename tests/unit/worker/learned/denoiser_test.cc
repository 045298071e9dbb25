// A learned denoiser inside the methods that take one.
#include "worker/learned/denoiser.h"

#include <gtest/gtest.h>

#include <memory>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/calibration/scene.h"
#include "worker/learned/container.h"
#include "worker/learned/training.h"
#include "worker/methods/pnp_admm.h"
#include "worker/methods/pnp_ista.h"

namespace deconvoy::worker::learned {
namespace {

using worker::testing::Scene;
using worker::testing::Silent;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class Unheard final : public TrainingObserver {
 public:
  absl::Status Stepped(int64_t /*step*/, int64_t /*steps*/) override { return absl::OkStatus(); }
};

// A denoiser of a few steps, which takes some of the noise out.
std::unique_ptr<Model> Trained() {
  Recipe recipe;
  recipe.network = "dncnn3d";
  recipe.source = Source::kDenoise;
  recipe.patch = {12, 16, 16};
  recipe.specimens = 8;
  recipe.validation = 1;
  recipe.steps = 150;
  recipe.learning_rate = 1e-3;
  const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  Unheard unheard;
  const auto part = TrainPart(recipe, {}, recipe.steps, *backend, unheard);
  EXPECT_OK(part);
  const auto trained = FinishTraining(recipe, Bytes(part->state), 4, *backend, unheard);
  EXPECT_OK(trained);
  EXPECT_EQ(trained->quality.size(), 2U) << "mixed specimens, and nuclei, which it has not seen";
  for (const Quality& quality : trained->quality) EXPECT_LT(quality.nrmse, quality.raw_nrmse);
  auto model = LoadModel(Bytes(trained->file));
  EXPECT_OK(model);
  return *std::move(model);
}

double Error(const std::vector<float>& values, const std::vector<float>& truth) {
  double squares = 0;
  for (size_t i = 0; i < truth.size(); ++i) squares += (values[i] - truth[i]) * (values[i] - truth[i]);
  return squares;
}

TEST(LearnedDenoiser, ServesPlugAndPlay) {
  const std::unique_ptr<Model> model = Trained();
  ASSERT_OK_AND_ASSIGN(const auto kind, LearnedDenoiser::Of(*model));
  EXPECT_EQ(kind->name(), "dncnn3d");
  EXPECT_GT(kind->bytes_per_padded_voxel(), 8);
  Scene scene({20, 40, 40}, 50, deconvoy::testing::Seed());
  Silent silent;

  // By itself: noise that is added to a specimen comes out.
  std::vector<float> noisy = scene.truth;
  Random random(deconvoy::testing::Seed());
  for (float& value : noisy) value += 20 * static_cast<float>(random.Normal());
  ASSERT_OK_AND_ASSIGN(const auto v, scene.ops->Allocate(scene.y->box()));
  ASSERT_OK(scene.ops->Upload(noisy, v->box(), *v));
  ASSERT_OK_AND_ASSIGN(const auto denoiser, kind->Open(scene.problem));
  ASSERT_OK(denoiser->Denoise(*v, 20));
  EXPECT_LT(Error(scene.Values(*v), scene.truth), 0.7 * Error(noisy, scene.truth));

  // In place of total variation: other results, which are finite and like the specimen.
  for (const bool admm : {true, false}) {
    const std::unique_ptr<Method> with = admm ? std::unique_ptr<Method>(std::make_unique<PlugAndPlayAdmm>(kind.get()))
                                              : std::unique_ptr<Method>(std::make_unique<PlugAndPlayIsta>(kind.get()));
    ASSERT_OK_AND_ASSIGN(const Parameters parameters,
                         ResolveParameters(with->description(), {{"iterations", "10"}, {"sigma", "1"}}));
    ASSERT_OK_AND_ASSIGN(const auto learned, with->Run(scene.problem, parameters, silent));
    ASSERT_OK_AND_ASSIGN(const auto plain,
                         FindMethod(with->description().name())->Run(scene.problem, parameters, silent));
    const std::vector<float> values = scene.Values(*learned);
    EXPECT_NE(values, scene.Values(*plain)) << admm;
    EXPECT_GT(deconvoy::testing::Correlation(values, scene.truth), 0.4) << admm;
  }
}

TEST(LearnedDenoiser, RefusesOtherNetworks) {
  class Restorer final : public Model {
   public:
    const ModelFacts& facts() const override { return facts_; }
    const NetworkKind& kind() const override { return *FindNetwork("rln"); }
    Shape3 halo() const override { return {}; }
    int64_t MemoryBytes(const Shape3& /*box*/) const override { return 0; }
    absl::StatusOr<Estimate> Apply(std::span<const float>, const Shape3&, const Scale&, float) const override {
      return Estimate{};
    }

   private:
    const ModelFacts facts_ = {};
  } restorer;
  EXPECT_EQ(ReasonOf(LearnedDenoiser::Of(restorer).status()), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy::worker::learned
