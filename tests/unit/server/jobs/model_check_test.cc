// What is refused of jobs about models, and what they take.
#include "server/jobs/model_check.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class ModelCheckTest : public ::testing::Test {
 protected:
  v1::PreflightReport Report(const v1::JobSpec& spec) {
    auto report = service_.jobs().Preflight(JobService::kOwner, spec);
    EXPECT_OK(report);
    return report.ok() ? *std::move(report) : v1::PreflightReport();
  }
  void ExpectRefused(const v1::JobSpec& spec, v1::ErrorReason reason, const std::string& field) {
    EXPECT_FALSE(Report(spec).accepted());
    const absl::Status refused = service_.TrySubmit(spec).status();
    EXPECT_EQ(ReasonOf(refused), reason) << refused;
    EXPECT_EQ(InfoOf(refused).field(), field) << refused;
    EXPECT_FALSE(InfoOf(refused).remedy().empty()) << refused;
    remedy_ = InfoOf(refused).remedy();
  }

  ModelService service_;
  std::string remedy_;  // of what was refused last
};

TEST_F(ModelCheckTest, ATrainingTakesRoomForItsFileAndAllStates) {
  const v1::JobSpec spec = service_.Train(100, 4);
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  const auto bytes = [](int64_t file) { return (file + 8 + 4095) / 4096 * 4096; };
  EXPECT_EQ(report.result_bytes(), static_cast<uint64_t>(bytes(70'000) + 4 * bytes(300'000)));
  const int64_t examples = (64 + 4) * 64 * 64 * 64 * 2 * 4;  // input and target of each
  const int64_t read = 27 + bytes(300'000);  // the PSF and the state before, as bytes or floats and as numbers
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(RlMethod(), {}));
  const double scene =
      TrainingSceneBytes(WithDefaults(spec.train_model()), {3, 3, 3}, MemoryOf(RlMethod(), parameters));
  EXPECT_GT(scene, 24 * 70 * 70 * 70) << "of a specimen of 68 voxels along each axis";
  EXPECT_EQ(report.worker_memory_bytes(),
            static_cast<uint64_t>(100 * 64 * 64 * 64 + examples + 8 * read + bytes(300'000) + kSmallBoxBytes + scene));
}

TEST_F(ModelCheckTest, ATrainingWaitsForAWorkerThatKnowsNetworks) {
  const std::string job = service_.Submit(service_.Train());
  TestWorker plain(service_, "plain");
  *plain.registration.add_methods() = NetworkMethodWithoutLibrary();
  ASSERT_OK(plain.Register());
  EXPECT_FALSE(plain.Take());
  EXPECT_THAT(service_.Get(job).progress().activity(), HasSubstr("that knows `network`"));
  NetworkWorker small(service_, "small");
  const auto needed = Report(service_.Train()).worker_memory_bytes();
  small.registration.set_memory_budget_bytes(needed - 1);
  ASSERT_OK(small.Register());
  EXPECT_FALSE(small.Take());
  NetworkWorker able(service_, "able");
  ASSERT_OK(able.Register());
  const std::optional<v1::Task> task = able.Take();
  ASSERT_TRUE(task && task->has_train());
  EXPECT_EQ(task->train().spec().batch(), 1U) << "defaults are filled in";
  EXPECT_EQ(task->train().spec().patch().z(), 64);
}

TEST_F(ModelCheckTest, WithoutLibraryTheReasonIsTold) {
  JobService service;
  service.capabilities().AddMethods({RlMethod(), NetworkMethodWithoutLibrary()});
  v1::JobSpec spec;
  spec.mutable_train_model()->set_network("rln");
  spec.mutable_train_model()->set_psf_volume(service.AddVolume(MakeSpec({1, 1, 3, 3, 3}, v1::F32)));
  const absl::Status refused = service.TrySubmit(spec).status();
  EXPECT_EQ(ReasonOf(refused), v1::NO_WORKER);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("without LibTorch"));
  service.capabilities().AddMethods({NetworkMethod()});
  service.capabilities().AddMethods({NetworkMethodWithoutLibrary()});
  EXPECT_OK(service.TrySubmit(spec).status());  // one worker that can is enough
}

TEST_F(ModelCheckTest, ATrainingNeedsWhatItLearnsFrom) {
  v1::JobSpec spec = service_.Train();
  spec.mutable_train_model()->set_network("rlm");
  ExpectRefused(spec, v1::INVALID_FIELD, "train_model.network");
  EXPECT_THAT(remedy_, HasSubstr("rln"));
  spec = service_.Train();
  spec.mutable_train_model()->set_network("dncnn3d");
  ExpectRefused(spec, v1::INVALID_FIELD, "train_model.target");
  spec.mutable_train_model()->set_target(v1::DENOISE);
  EXPECT_TRUE(Report(spec).accepted());
  spec = service_.Train();
  spec.mutable_train_model()->set_head(v1::PROBABILISTIC);
  ExpectRefused(spec, v1::INVALID_FIELD, "train_model.head");
  spec = service_.Train();
  spec.mutable_train_model()->set_target(v1::CLASSICAL);
  spec.mutable_train_model()->set_method("network");
  ExpectRefused(spec, v1::INVALID_FIELD, "train_model.method");
  spec.mutable_train_model()->set_method("rl");
  (*spec.mutable_train_model()->mutable_parameters())["iterations"] = "auto";
  ExpectRefused(spec, v1::INVALID_FIELD, "train_model.parameters");
  spec = service_.Train();
  spec.mutable_train_model()->set_psf_volume("volumes/none");
  ExpectRefused(spec, v1::NOT_FOUND, "train_model.psf_volume");
  spec.mutable_train_model()->set_psf_volume(service_.AddVolume(MakeSpec({1, 2, 3, 3, 3}, v1::F32)));
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "train_model.psf_volume");
  spec = service_.Train();
  spec.mutable_train_model()->set_target(v1::PAIRS);
  spec.mutable_train_model()->add_input_volumes(service_.AddVolume(MakeSpec({1, 1, 4, 5, 6}, v1::F32)));
  spec.mutable_train_model()->add_truth_volumes(service_.AddVolume(MakeSpec({1, 1, 4, 5, 7}, v1::F32)));
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "train_model.truth_volumes");
  spec.mutable_train_model()->set_truth_volumes(0, spec.train_model().input_volumes(0));
  EXPECT_TRUE(Report(spec).accepted());
  spec.mutable_train_model()->mutable_voxel_size()->set_z_um(0.3);
  v1::VolumeSpec image = MakeSpec({1, 1, 4, 5, 6}, v1::F32);
  image.mutable_voxel_size()->set_z_um(0.301);
  spec.mutable_train_model()->set_truth_volumes(0, service_.AddVolume(image));
  EXPECT_TRUE(Report(spec).accepted()) << "the same within one per cent";
  image.mutable_voxel_size()->set_z_um(0.5);
  spec.mutable_train_model()->set_truth_volumes(0, service_.AddVolume(image));
  ExpectRefused(spec, v1::VOXEL_SIZE_MISMATCH, "train_model.input_volumes");
}

TEST_F(ModelCheckTest, AFileNeedsToBeOne) {
  EXPECT_TRUE(Report(service_.Check()).accepted());
  v1::JobSpec spec = service_.Check();
  spec.mutable_check_model()->set_model_volume(service_.AddVolume(MakeSpec({1, 1, 1, 5, 6})));
  ExpectRefused(spec, v1::INVALID_FIELD, "check_model.model_volume");
  spec.mutable_check_model()->set_model_volume(service_.AddVolume(ByteVolume(100), /*complete=*/false));
  ExpectRefused(spec, v1::VOLUME_INCOMPLETE, "check_model.model_volume");
  spec.mutable_check_model()->set_model_volume("volumes/none");
  ExpectRefused(spec, v1::NOT_FOUND, "check_model.model_volume");
  spec = service_.Check();
  spec.mutable_check_model()->set_format(v1::TORCHSCRIPT);
  spec.mutable_check_model()->set_descriptor_text("inputs: []");
  ExpectRefused(spec, v1::NO_WORKER, "check_model.format");
}

v1::Method NetworkMethodWithPrograms() {
  v1::Method method = NetworkMethod();
  method.add_formats(v1::TORCHSCRIPT);
  return method;
}

v1::ModelFacts FactsOfProgram() {
  v1::ModelFacts facts = FactsOf("torchscript");
  facts.set_format(v1::TORCHSCRIPT);
  facts.set_descriptor_text("{}");
  return facts;
}

TEST_F(ModelCheckTest, AProgramIsCheckedOnceAWorkerCan) {
  v1::JobSpec spec = service_.Check();
  spec.mutable_check_model()->set_format(v1::TORCHSCRIPT);
  spec.mutable_check_model()->set_descriptor_text("inputs: []");
  service_.capabilities().AddMethods({NetworkMethodWithPrograms()});
  EXPECT_TRUE(Report(spec).accepted());
  service_.capabilities().AddMethods({NetworkMethod()});  // by another worker, which cannot
  EXPECT_TRUE(Report(spec).accepted());
  EXPECT_EQ(NeededMethod(spec, {}), MethodWithFormat(kNetworkMethod, v1::TORCHSCRIPT));
}

TEST_F(ModelCheckTest, ProgramsGoOnlyToWorkersThatRunThem) {
  v1::JobSpec spec;
  spec.mutable_deconvolve()->set_method(kNetworkMethod);
  ModelUses models;
  *models.Add()->mutable_facts() = FactsOf();
  EXPECT_EQ(NeededMethod(spec, models), kNetworkMethod);
  *models.Add()->mutable_facts() = FactsOfProgram();
  const std::string needed = NeededMethod(spec, models);
  EXPECT_NE(needed, kNetworkMethod);
  Capabilities capabilities;
  capabilities.SetWorker("plain", {.backend = "cpu", .machine = {}, .methods = {kNetworkMethod}});
  EXPECT_THAT(capabilities.Lacking("", needed, 0), HasSubstr("TORCHSCRIPT"));
  capabilities.SetWorker("able", {.backend = "cpu", .machine = {}, .methods = {kNetworkMethod, needed}});
  EXPECT_EQ(capabilities.Lacking("", needed, 0), "");
}

TEST_F(ModelCheckTest, AModelThatDoesNotTellItsPsfIsWarnedOf) {
  ModelUses models;
  models.Add()->set_name("models/own/versions/1");
  *models[0].mutable_facts() = FactsOf();
  const auto warnings = [&](bool restore) {
    const std::vector<v1::Finding> findings = ModelFindings(models, {}, restore);
    return std::count_if(findings.begin(), findings.end(),
                         [](const v1::Finding& finding) { return finding.severity() == v1::WARNING; });
  };
  EXPECT_EQ(warnings(true), 0);
  models[0].mutable_facts()->clear_psf_digest();
  EXPECT_EQ(warnings(true), 1);
  EXPECT_EQ(warnings(false), 0) << "what only takes noise out needs no PSF";
  *models[0].mutable_facts() = FactsOfProgram();
  EXPECT_EQ(warnings(true), 1);
}

TEST_F(ModelCheckTest, ComparedTilesAreSpreadOverTheFrame) {
  v1::DeconvolveSpec spec;
  const auto compared = [&](int64_t tiles) {
    std::vector<int64_t> numbers;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      if (IsComparedTile(spec, tile, tiles)) numbers.push_back(tile);
    }
    return numbers;
  };
  EXPECT_EQ(compared(8), (std::vector<int64_t>{2, 6}));
  EXPECT_EQ(compared(1), (std::vector<int64_t>{0}));
  spec.set_compared_tiles(5);
  EXPECT_EQ(compared(5).size(), 5U);
  EXPECT_EQ(compared(100).size(), 5U);
  spec.set_compared_tiles(-1);
  EXPECT_TRUE(compared(8).empty());
}

}  // namespace
}  // namespace deconvoy::server
