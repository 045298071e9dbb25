// Deconvolutions whose denoiser is a model: what is refused of them, and what their tasks are told.
#include <gmock/gmock.h>

#include "server/jobs/model_check.h"
#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class ModelDenoisersTest : public ::testing::Test {
 protected:
  ModelDenoisersTest() {
    service_.Keep("clean", FactsOf("dncnn3d"));
    service_.Keep("rln");
  }
  v1::JobSpec Spec(const std::vector<std::string>& models = {"models/clean"}) {
    v1::JobSpec spec = service_.Deconvolve({1, 1, 16, 16, 64}, {16, 16, 16});
    spec.mutable_deconvolve()->set_method("pnp-admm");
    for (const std::string& name : models) spec.mutable_deconvolve()->add_models(name);
    return spec;
  }
  void ExpectRefused(const v1::JobSpec& spec, const std::string& field, v1::ErrorReason reason = v1::INVALID_FIELD) {
    const absl::Status refused = service_.TrySubmit(spec).status();
    EXPECT_EQ(ReasonOf(refused), reason) << refused;
    EXPECT_EQ(InfoOf(refused).field(), field) << refused;
    EXPECT_FALSE(InfoOf(refused).remedy().empty()) << refused;
  }

  ModelService service_;
};

TEST_F(ModelDenoisersTest, TheModelMustRunOnTheBackendToo) {
  v1::Method method = DenoisingMethod();
  method.add_backends("cuda");
  service_.capabilities().AddMethods({method});
  v1::JobSpec spec = Spec();
  spec.mutable_deconvolve()->set_backend("cuda");
  ExpectRefused(spec, "deconvolve.backend", v1::NO_WORKER);
}

TEST_F(ModelDenoisersTest, TilesHaveTheModelAndNothingOfThoseThatMakeResults) {
  const std::string job = service_.Submit(Spec());
  const v1::Job accepted = service_.Get(job);
  const v1::DeconvolveSpec& spec = accepted.spec().deconvolve();
  EXPECT_EQ(spec.models(0), "models/clean/versions/1");
  EXPECT_FALSE(spec.parameters().contains("denoiser")) << "it is not what takes the noise out";
  EXPECT_EQ(spec.classical_method(), "");
  ASSERT_EQ(accepted.models_size(), 1);
  EXPECT_THAT(accepted.findings(0).message(), HasSubstr("models/clean/versions/1 takes noise out in each of 10"));

  service_.Reopen();
  TestWorker plain(service_, "plain");
  *plain.registration.add_methods() = NetworkMethodWithoutLibrary();
  *plain.registration.add_methods() = DenoisingMethod();
  ASSERT_OK(plain.Register());
  EXPECT_FALSE(plain.Take()) << "it cannot run models";
  EXPECT_THAT(service_.Get(job).progress().activity(), HasSubstr("that knows `network`"));
  NetworkWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const std::optional<v1::Task> analysis = worker.Take();
  ASSERT_TRUE(analysis && analysis->has_analyse());
  EXPECT_TRUE(analysis->analyse().models().empty()) << "it needs no scale, and does not know a PSF";
  std::string none;
  ASSERT_OK(worker.Deliver(*analysis, ResultOf(*analysis, &none), ""));
  int tiles = 0;
  while (const std::optional<v1::Task> task = worker.Take()) {
    ASSERT_TRUE(task->has_tile());
    const v1::TileTask& tile = task->tile();
    ASSERT_EQ(tile.models_size(), 1);
    EXPECT_EQ(tile.models(0).facts().network(), "dncnn3d");
    EXPECT_EQ(task->inputs(task->inputs_size() - 1).volume(), tile.models(0).volume());
    EXPECT_FALSE(tile.has_model_scale());
    EXPECT_FALSE(tile.compare());
    std::string bytes;
    const v1::TaskResult result = ResultOf(*task, &bytes);
    ASSERT_OK(worker.Deliver(*task, result, bytes));
    ++tiles;
  }
  EXPECT_EQ(tiles, 4);
  EXPECT_EQ(service_.Get(job).state(), v1::SUCCEEDED);
  EXPECT_OK(service_.TrySubmit(accepted.spec()).status());  // what the job tells can be submitted again
}

TEST_F(ModelDenoisersTest, OneModelThatDenoisesAndNothingBeside) {
  ExpectRefused(Spec({"models/rln"}), "deconvolve.models");
  ExpectRefused(Spec({"models/clean", "models/clean"}), "deconvolve.models");
  ExpectRefused(Spec({"models/none"}), "deconvolve.models", v1::NOT_FOUND);
  v1::JobSpec spec = Spec();
  (*spec.mutable_deconvolve()->mutable_parameters())["denoiser"] = "tv";
  ExpectRefused(spec, "deconvolve.parameters[\"denoiser\"]");
  spec = Spec();
  spec.mutable_deconvolve()->set_spread(true);
  ExpectRefused(spec, "deconvolve.spread");
  spec = Spec();
  spec.mutable_deconvolve()->set_compared_tiles(1);
  ExpectRefused(spec, "deconvolve.compared_tiles");
  spec = Spec();
  spec.mutable_deconvolve()->set_classical_method("rl");
  ExpectRefused(spec, "deconvolve.classical_method");
  spec = Spec();
  spec.mutable_deconvolve()->set_method("rl");
  ExpectRefused(spec, "deconvolve.models");
  spec = Spec({});
  (*spec.mutable_deconvolve()->mutable_parameters())["denoiser"] = "tv";
  EXPECT_OK(service_.TrySubmit(spec).status());  // without a model as ever
}

TEST(ModelDenoisers, WithoutLibraryTheReasonIsTold) {
  v1::ModelUse use;
  *use.mutable_facts() = FactsOf("dncnn3d");
  ModelUses models;
  *models.Add() = use;
  v1::DeconvolveSpec spec;
  spec.set_method("pnp-admm");
  EXPECT_OK(CheckDenoiser(NetworkMethod(), spec, models));
  const absl::Status refused = CheckDenoiser(NetworkMethodWithoutLibrary(), spec, models);
  EXPECT_EQ(ReasonOf(refused), v1::NO_WORKER);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("without LibTorch"));
}

}  // namespace
}  // namespace deconvoy::server
