// Deconvolutions by models: what they need, and what their tasks are told.
#include <gmock/gmock.h>

#include "server/jobs/model_check.h"
#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class ModelTilesTest : public ::testing::Test {
 protected:
  v1::JobSpec Spec(const std::vector<std::string>& models, const Shape3& core = {16, 16, 16}) {
    v1::JobSpec spec = service_.Deconvolve({1, 1, 16, 16, 64}, core);
    spec.mutable_deconvolve()->set_method(kNetworkMethod);
    spec.mutable_deconvolve()->clear_parameters();
    for (const std::string& name : models) spec.mutable_deconvolve()->add_models(name);
    return spec;
  }
  absl::Status Refusal(const v1::JobSpec& spec) { return service_.TrySubmit(spec).status(); }
  // Of an analysis, with a scale for the only channel.
  static v1::TaskResult Analysis(const v1::Task& task) {
    std::string none;
    v1::TaskResult result = ResultOf(task, &none);
    v1::ModelScale& scale = *result.mutable_analyse()->add_scales();
    scale.set_offset_photons(3);
    scale.set_range_photons(50);
    return result;
  }

  ModelService service_;
};

TEST_F(ModelTilesTest, TasksHaveTheModelsTheirScaleAndRoomForTheirHalo) {
  const v1::Model model = service_.Keep("rln");
  const std::string job = service_.Submit(Spec({"models/rln"}));
  const v1::Job accepted = service_.Get(job);
  EXPECT_EQ(accepted.spec().deconvolve().models(0), "models/rln/versions/1");
  EXPECT_EQ(accepted.spec().deconvolve().classical_method(), "rl");
  ASSERT_EQ(accepted.models_size(), 1);
  EXPECT_EQ(accepted.models(0).volume(), model.volume());
  EXPECT_EQ(accepted.models(0).facts().recipe(), "");
  EXPECT_THAT(accepted.findings(0).message(), HasSubstr("models/rln/versions/1"));

  service_.Reopen();
  NetworkWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const std::optional<v1::Task> analysis = worker.Take();
  ASSERT_TRUE(analysis && analysis->has_analyse());
  ASSERT_EQ(analysis->analyse().models_size(), 1);
  EXPECT_EQ(analysis->inputs(analysis->inputs_size() - 1).volume(), model.volume());
  ASSERT_OK(worker.Deliver(*analysis, Analysis(*analysis), ""));
  std::vector<bool> compared;
  while (const std::optional<v1::Task> task = worker.Take()) {
    ASSERT_TRUE(task->has_tile());
    const v1::TileTask& tile = task->tile();
    ASSERT_EQ(tile.models_size(), 1);
    EXPECT_EQ(tile.models(0).facts().network(), "rln");
    EXPECT_EQ(tile.model_scale().range_photons(), 50);
    EXPECT_EQ(task->inputs(task->inputs_size() - 1).volume(), model.volume());
    compared.push_back(tile.compare());
    const int64_t before = tile.core().x() - tile.loaded().x();
    EXPECT_GE(before, std::min<int64_t>(7, tile.core().x())) << "the halo of 6, and 1 to align";
    std::string bytes;
    v1::TaskResult result = ResultOf(*task, &bytes);
    v1::TrustStatistics& trust = *result.mutable_tile()->mutable_statistics()->mutable_trust();
    trust.set_voxels(100);
    trust.set_compared_voxels(tile.compare() ? 100 : 0);
    trust.set_classical_squares(tile.compare() ? 400 : 0);
    trust.set_difference_squares(tile.compare() ? 4 : 0);
    ASSERT_OK(worker.Deliver(*task, result, bytes));
  }
  const v1::Job ended = service_.Get(job);
  EXPECT_EQ(ended.result().trust().compared_voxels(), 200U);
  EXPECT_THAT(ended.findings(ended.findings_size() - 2).message(), HasSubstr("differs from that of `rl` by 10 %"));
  EXPECT_EQ(compared.size(), 4U);
  EXPECT_EQ(std::count(compared.begin(), compared.end(), true), 2);
  EXPECT_EQ(service_.Get(job).state(), v1::SUCCEEDED);
}

// A result that cannot be ends the lease, so that each case is a job of its own.
TEST_F(ModelTilesTest, AnAnalysisWithoutScalesThatCanBeIsRefused) {
  service_.Keep("rln");
  NetworkWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const auto expect_refused = [&](const std::function<void(v1::AnalyseResult&)>& spoil) {
    service_.Submit(Spec({"models/rln"}));
    const std::optional<v1::Task> analysis = worker.Take();
    ASSERT_TRUE(analysis && analysis->has_analyse());
    v1::TaskResult result = Analysis(*analysis);
    spoil(*result.mutable_analyse());
    EXPECT_EQ(ReasonOf(worker.Deliver(*analysis, result, "")), v1::INVALID_FIELD);
  };
  expect_refused([](v1::AnalyseResult& analysis) { analysis.mutable_scales(0)->set_range_photons(0); });
  expect_refused([](v1::AnalyseResult& analysis) { analysis.mutable_scales(0)->set_c(1); });
  expect_refused([](v1::AnalyseResult& analysis) { analysis.clear_scales(); });
}

TEST_F(ModelTilesTest, MemoryOfTheModelCounts) {
  v1::ModelFacts small = FactsOf(), large = FactsOf();
  large.set_bytes_per_voxel(small.bytes_per_voxel() + 1000);
  service_.Keep("small", small);
  service_.Keep("large", large);
  const auto memory = [&](const std::string& name) {
    auto report = service_.jobs().Preflight("local", Spec({name}));
    EXPECT_OK(report);
    EXPECT_TRUE(report->accepted()) << report->ShortDebugString();
    return static_cast<double>(report->worker_memory_bytes());
  };
  EXPECT_GT(memory("models/large"), memory("models/small") + 1000 * 16 * 16 * 16);
}

TEST_F(ModelTilesTest, WhereNothingIsComparedNoClassicalMethodIsPlanned) {
  service_.Keep("rln");
  v1::JobSpec spec = Spec({"models/rln"});
  spec.mutable_deconvolve()->set_compared_tiles(-1);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, service_.TrySubmit(spec));
  EXPECT_EQ(job.spec().deconvolve().classical_method(), "");
  EXPECT_OK(service_.TrySubmit(job.spec()).status());  // what the job tells can be submitted again
  spec.mutable_deconvolve()->set_classical_method("rl");
  EXPECT_EQ(InfoOf(Refusal(spec)).field(), "deconvolve.classical_method");
}

TEST_F(ModelTilesTest, MethodModelsAndWishesMustGoTogether) {
  service_.Keep("rln");
  service_.Keep("noise", FactsOf("dncnn3d"));
  const absl::Status none = Refusal(Spec({}));
  EXPECT_EQ(ReasonOf(none), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(none).field(), "deconvolve.models");
  EXPECT_EQ(ReasonOf(Refusal(Spec({"models/none"}))), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(Refusal(Spec({"rln"}))), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(Refusal(Spec({"models/noise"}))).field(), "deconvolve.models");
  v1::JobSpec spec = Spec({"models/rln"});
  spec.mutable_deconvolve()->set_method("rl");
  EXPECT_EQ(InfoOf(Refusal(spec)).field(), "deconvolve.models");
  spec = Spec({"models/rln"});
  spec.mutable_deconvolve()->set_spread(true);
  EXPECT_EQ(InfoOf(Refusal(spec)).field(), "deconvolve.spread");
  spec.mutable_deconvolve()->add_models("models/rln/versions/1");
  ASSERT_OK_AND_ASSIGN(const v1::Job ensemble, service_.TrySubmit(spec));
  ASSERT_EQ(ensemble.outputs_size(), 2);
  EXPECT_EQ(ensemble.outputs(1).role(), "spread");
  spec = Spec({"models/rln"});
  spec.mutable_deconvolve()->set_classical_method("network");
  EXPECT_EQ(InfoOf(Refusal(spec)).field(), "deconvolve.classical_method");
  spec = Spec({});
  spec.mutable_deconvolve()->set_method("rl");
  spec.mutable_deconvolve()->set_compared_tiles(1);
  EXPECT_EQ(InfoOf(Refusal(spec)).field(), "deconvolve.compared_tiles");
}

TEST_F(ModelTilesTest, OtherVoxelsAreWarnedOf) {
  v1::ModelFacts facts = FactsOf();
  facts.mutable_voxel_size()->set_x_um(0.1);
  v1::ModelUse use;
  use.set_name("models/rln/versions/1");
  *use.mutable_facts() = facts;
  ModelUses uses;
  *uses.Add() = use;
  v1::VoxelSize voxel;
  EXPECT_EQ(ModelFindings(uses, voxel, true).size(), 1U) << "not known: nothing to say";
  voxel.set_x_um(0.1005);
  EXPECT_EQ(ModelFindings(uses, voxel, true).size(), 1U) << "the same within one per cent";
  voxel.set_x_um(0.2);
  const std::vector<v1::Finding> findings = ModelFindings(uses, voxel, true);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[1].severity(), v1::WARNING);
  EXPECT_EQ(findings[1].info().reason(), v1::VOXEL_SIZE_MISMATCH);
}

}  // namespace
}  // namespace deconvoy::server
