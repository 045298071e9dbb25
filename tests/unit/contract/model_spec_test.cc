#include "proto/contract/model_spec.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

v1::TrainModelSpec Training() {
  v1::TrainModelSpec spec;
  spec.set_network("rln");
  spec.set_psf_volume("volumes/psf");
  return spec;
}

void ExpectRefused(const std::string& field, const std::function<void(v1::TrainModelSpec&)>& spoil,
                   v1::ErrorReason reason = v1::INVALID_FIELD) {
  v1::TrainModelSpec spec = Training();
  spoil(spec);
  const absl::Status status = ValidateTrainModel(spec);
  EXPECT_EQ(ReasonOf(status), reason) << field << ": " << status;
  EXPECT_EQ(InfoOf(status).field(), "train_model." + field) << status;
  EXPECT_FALSE(InfoOf(status).remedy().empty()) << status;
}

TEST(ValidateTrainModel, TakesWhatTheContractAllows) {
  EXPECT_OK(ValidateTrainModel(Training()));
  v1::TrainModelSpec spec = Training();
  spec.set_psf_volume("psfs/gfp");
  spec.set_target(v1::CLASSICAL);
  spec.set_method("rl-tv");
  (*spec.mutable_parameters())["iterations"] = "200";
  spec.add_kinds(v1::FILAMENTS);
  spec.add_held_out(v1::NUCLEI);
  spec.set_steps(1'000'000);
  spec.set_parts(1000);
  spec.set_head(v1::PROBABILISTIC);
  EXPECT_OK(ValidateTrainModel(spec));
  EXPECT_OK(ValidateTrainModel(WithDefaults(spec)));
  spec = Training();
  spec.set_target(v1::DENOISE);
  spec.set_network("dncnn3d");
  spec.set_most_noise(0.5);
  EXPECT_OK(ValidateTrainModel(spec));
}

TEST(ValidateTrainModel, NamesWhatIsWrong) {
  ExpectRefused("network", [](auto& spec) { spec.set_network("RLN"); });
  ExpectRefused("network", [](auto& spec) { spec.clear_network(); });
  ExpectRefused("psf_volume", [](auto& spec) { spec.clear_psf_volume(); });
  ExpectRefused("voxel_size", [](auto& spec) { spec.mutable_voxel_size()->set_x_um(-1); });
  ExpectRefused("target", [](auto& spec) { spec.set_target(static_cast<v1::TrainingTarget>(99)); });
  ExpectRefused("input_volumes", [](auto& spec) { spec.set_target(v1::PAIRS); });
  ExpectRefused("input_volumes", [](auto& spec) { spec.add_input_volumes("volumes/a"); });
  ExpectRefused("input_volumes", [](auto& spec) {
    spec.set_target(v1::DEGRADATION);
    spec.add_input_volumes("psfs/a");
  });
  ExpectRefused("truth_volumes", [](auto& spec) {
    spec.set_target(v1::PAIRS);
    spec.add_input_volumes("volumes/a");
  });
  ExpectRefused("truth_volumes", [](auto& spec) {
    spec.set_target(v1::BLIND_SPOT);
    spec.add_input_volumes("volumes/a");
    spec.add_truth_volumes("volumes/b");
  });
  ExpectRefused("method", [](auto& spec) { spec.set_target(v1::CLASSICAL); });
  ExpectRefused("method", [](auto& spec) { spec.set_method("rl"); });
  ExpectRefused("kinds", [](auto& spec) { spec.add_kinds(v1::SPECIMEN_KIND_UNSPECIFIED); });
  ExpectRefused("held_out", [](auto& spec) { spec.add_held_out(v1::MIXED); });
  ExpectRefused("held_out", [](auto& spec) {
    spec.add_kinds(v1::BEADS);
    spec.add_held_out(v1::BEADS);
  });
  ExpectRefused("held_out", [](auto& spec) {
    for (const auto kind : {v1::FILAMENTS, v1::SHELLS, v1::BEADS, v1::POINTS, v1::NUCLEI}) spec.add_held_out(kind);
  });
  ExpectRefused("least_photons", [](auto& spec) { spec.set_least_photons(std::numeric_limits<double>::quiet_NaN()); });
  ExpectRefused("most_photons", [](auto& spec) {
    spec.set_least_photons(100);
    spec.set_most_photons(50);
  });
  ExpectRefused("least_noise", [](auto& spec) { spec.set_least_noise(0.1); });
  ExpectRefused("most_noise", [](auto& spec) {
    spec.set_target(v1::DENOISE);
    spec.set_least_noise(0.5);
    spec.set_most_noise(0.1);
  });
  ExpectRefused("patch", [](auto& spec) { spec.mutable_patch()->set_z(64); });
  ExpectRefused(
      "batch", [](auto& spec) { spec.set_batch(65); }, v1::LIMIT_EXCEEDED);
  ExpectRefused(
      "steps", [](auto& spec) { spec.set_steps(1'000'001); }, v1::LIMIT_EXCEEDED);
  ExpectRefused(
      "specimens", [](auto& spec) { spec.set_specimens(4097); }, v1::LIMIT_EXCEEDED);
  ExpectRefused(
      "validation", [](auto& spec) { spec.set_validation(257); }, v1::LIMIT_EXCEEDED);
  ExpectRefused("parts", [](auto& spec) {
    spec.set_steps(10);
    spec.set_parts(11);
  });
  ExpectRefused("learning_rate", [](auto& spec) { spec.set_learning_rate(2); });
  ExpectRefused("head", [](auto& spec) { spec.set_head(static_cast<v1::ModelHead>(9)); });
}

TEST(ValidateTrainModel, RefusesWhatIsToldOfSpecimensThatAreNotDrawn) {
  v1::TrainModelSpec given = Training();
  given.set_target(v1::DEGRADATION);
  given.add_input_volumes("volumes/a");
  given.set_read_noise_photons(1);  // of slices
  EXPECT_OK(ValidateTrainModel(given));
  EXPECT_OK(ValidateTrainModel(WithDefaults(given)));
  v1::TrainModelSpec denoiser = Training();
  denoiser.set_target(v1::DENOISE);
  denoiser.add_kinds(v1::FILAMENTS);
  EXPECT_OK(ValidateTrainModel(denoiser));
  const auto refused = [](v1::TrainModelSpec spec, const std::string& field,
                          const std::function<void(v1::TrainModelSpec&)>& change) {
    change(spec);
    EXPECT_EQ(InfoOf(ValidateTrainModel(spec)).field(), "train_model." + field);
  };
  refused(given, "kinds", [](auto& spec) { spec.add_kinds(v1::FILAMENTS); });
  refused(given, "held_out", [](auto& spec) { spec.add_held_out(v1::FILAMENTS); });
  for (const v1::TrainModelSpec& spec : {given, denoiser}) {
    refused(spec, "least_photons", [](auto& change) { change.set_least_photons(5); });
    refused(spec, "most_photons", [](auto& change) { change.set_most_photons(5000); });
    refused(spec, "background_photons", [](auto& change) { change.set_background_photons(1); });
  }
  refused(denoiser, "read_noise_photons", [](auto& spec) { spec.set_read_noise_photons(1); });
}

TEST(WithDefaults, PartsCoverAllStepsInOrder) {
  v1::TrainModelSpec spec = Training();
  spec.set_steps(7);
  spec = WithDefaults(spec);
  EXPECT_EQ(spec.parts(), 7U) << "never more than steps";
  spec.set_parts(3);
  EXPECT_EQ(FirstStep(spec, 0), 0U);
  EXPECT_EQ(FirstStep(spec, 1), 2U);
  EXPECT_EQ(FirstStep(spec, 2), 4U);
  EXPECT_EQ(FirstStep(spec, 3), 7U);
  spec.set_least_photons(5000);
  spec.clear_most_photons();
  EXPECT_EQ(WithDefaults(spec).most_photons(), 5000);
}

TEST(WithDefaults, OneKindIsHeldOutUnlessKindsOrImagesAreGiven) {
  v1::TrainModelSpec spec = Training();
  spec.clear_kinds();
  spec.clear_held_out();
  const v1::TrainModelSpec usual = WithDefaults(spec);
  ASSERT_EQ(usual.held_out_size(), 1);
  EXPECT_EQ(usual.held_out(0), v1::NUCLEI);
  EXPECT_EQ(usual.kinds(0), v1::MIXED);
  v1::TrainModelSpec other = spec;
  other.add_kinds(v1::MIXED);
  EXPECT_TRUE(WithDefaults(other).held_out().empty());
  other = spec;
  other.add_held_out(v1::BEADS);
  ASSERT_EQ(WithDefaults(other).held_out_size(), 1);
  EXPECT_EQ(WithDefaults(other).held_out(0), v1::BEADS);
  other = spec;
  other.add_input_volumes("volumes/0123456789abcdef0123456789abcdef");
  EXPECT_TRUE(WithDefaults(other).held_out().empty());
}

TEST(ValidateCreateModel, NamesWhatIsWrong) {
  v1::CreateModelRequest request;
  request.set_request_id("r");
  request.set_model_id("rln-gfp");
  request.set_job("jobs/a");
  EXPECT_OK(ValidateCreateModel(request));
  v1::CreateModelRequest bad = request;
  bad.set_model_id("RLN");
  EXPECT_EQ(InfoOf(ValidateCreateModel(bad)).field(), "model_id");
  bad = request;
  bad.set_job("volumes/a");
  EXPECT_EQ(InfoOf(ValidateCreateModel(bad)).field(), "job");
  bad = request;
  bad.set_description(std::string(kLibraryDescriptionBytes + 1, 'x'));
  EXPECT_EQ(InfoOf(ValidateCreateModel(bad)).field(), "description");
}

TEST(ValidateModelFields, WishesNeedModels) {
  v1::DeconvolveSpec spec;
  EXPECT_OK(ValidateModelFields(spec));
  spec.set_spread(true);
  EXPECT_EQ(InfoOf(ValidateModelFields(spec)).field(), "deconvolve.spread");
  spec.add_models("models/rln");
  EXPECT_OK(ValidateModelFields(spec));
  spec.set_compared_tiles(65);
  EXPECT_EQ(ReasonOf(ValidateModelFields(spec)), v1::LIMIT_EXCEEDED);
  spec.set_compared_tiles(-1);
  EXPECT_OK(ValidateModelFields(spec));
  spec.set_classical_method("rl-tv");
  EXPECT_EQ(InfoOf(ValidateModelFields(spec)).field(), "deconvolve.classical_method") << "nothing is compared with it";
  spec.clear_classical_method();
  spec.add_models("volumes/a");
  EXPECT_EQ(InfoOf(ValidateModelFields(spec)).field(), "deconvolve.models");
  spec.clear_models();
  for (int i = 0; i < kMostModels + 1; ++i) spec.add_models("models/rln");
  EXPECT_EQ(ReasonOf(ValidateModelFields(spec)), v1::LIMIT_EXCEEDED);
}

TEST(AppliesModels, ADenoiserIsNoResult) {
  v1::DeconvolveSpec spec;
  spec.set_method(kNetworkMethod);
  EXPECT_FALSE(AppliesModels(spec));
  spec.add_models("models/rln");
  EXPECT_TRUE(AppliesModels(spec));
  spec.set_method("pnp-admm");
  EXPECT_FALSE(AppliesModels(spec));
}

TEST(ModelHalo, IsTheLargestWithWhatAligns) {
  google::protobuf::RepeatedPtrField<v1::ModelUse> models;
  EXPECT_EQ(ModelHalo(models), Shape3{});
  for (const Shape3& halo : {Shape3{8, 2, 2}, Shape3{3, 4, 5}}) {
    v1::ModelFacts& facts = *models.Add()->mutable_facts();
    *facts.mutable_halo() = ToProto(halo);
    *facts.mutable_multiple() = ToProto(Shape3{1, 4, 1});
  }
  EXPECT_EQ(ModelHalo(models), (Shape3{8, 7, 5}));
}

TEST(AddDenoiserMemory, IsThatOfABoxAndOfWhatGoesInAndOut) {
  MethodMemory memory{.millibytes_per_padded_voxel = 1000};
  AddDenoiserMemory(400, {8, 8, 8}, memory);
  EXPECT_EQ(memory.millibytes_per_padded_voxel, 9000);
  EXPECT_EQ(memory.box_core, kDenoisedCore);
  EXPECT_EQ(memory.box_halo, (Shape3{8, 8, 8}));
  EXPECT_EQ(memory.millibytes_per_box_voxel, 408'000);
}

TEST(ValidateCheckModel, NeedsAVolume) {
  v1::CheckModelSpec spec;
  EXPECT_EQ(InfoOf(ValidateCheckModel(spec)).field(), "check_model.model_volume");
  spec.set_model_volume("volumes/a");
  EXPECT_OK(ValidateCheckModel(spec));
  spec.set_format(static_cast<v1::ModelFormat>(7));
  EXPECT_EQ(InfoOf(ValidateCheckModel(spec)).field(), "check_model.format");
}

TEST(ValidateCheckModel, ProgramsHaveADescriptorAndOthersHaveNone) {
  v1::CheckModelSpec spec;
  spec.set_model_volume("volumes/a");
  spec.set_format(v1::TORCHSCRIPT);
  EXPECT_EQ(InfoOf(ValidateCheckModel(spec)).field(), "check_model.descriptor_text");
  spec.set_descriptor_text(std::string(kMostDescriptorBytes, 'a'));
  EXPECT_OK(ValidateCheckModel(spec));
  spec.mutable_descriptor_text()->push_back('a');
  EXPECT_EQ(ReasonOf(ValidateCheckModel(spec)), v1::LIMIT_EXCEEDED);
  spec.set_descriptor_text("inputs: []");
  for (const v1::ModelFormat format : {v1::SAFETENSORS, v1::MODEL_FORMAT_UNSPECIFIED}) {
    spec.set_format(format);
    EXPECT_EQ(ReasonOf(ValidateCheckModel(spec)), v1::INVALID_FIELD);
    EXPECT_EQ(InfoOf(ValidateCheckModel(spec)).field(), "check_model.descriptor_text");
  }
}

TEST(TrainingBytes, AreThoseOfAStepTheExamplesAndWhatIsRead) {
  v1::TrainModelSpec spec;
  spec.set_steps(10);
  spec.set_batch(2);
  *spec.mutable_patch() = ToProto(Shape3{8, 10, 10});
  spec = WithDefaults(spec);
  const double examples = (20 + 4) * 800 * 2 * 4;  // no more than the steps draw, and the validation's
  EXPECT_EQ(TrainingBytes(spec, 100, 50), 2 * 800 * 100 + examples + 50 * 8 + kSmallBoxBytes);
}

TEST(TrainingSceneBytes, GrowWithThePsf) {
  const v1::TrainModelSpec spec = WithDefaults(Training());
  const MethodMemory light{.millibytes_per_padded_voxel = 1000, .millibytes_per_measured_voxel = 0},
      heavy{.millibytes_per_padded_voxel = 1'000'000, .millibytes_per_measured_voxel = 0};
  const double small = TrainingSceneBytes(spec, {1, 1, 1}, light),
               large = TrainingSceneBytes(spec, {65, 65, 65}, light);
  EXPECT_GE(small, (8.0 + 24.0) * 64 * 64 * 64);
  EXPECT_GE(large, 8.0 * 192 * 192 * 192 + 24.0 * 256 * 256 * 256) << "drawn on 192 voxels along each axis";
  EXPECT_GE(TrainingSceneBytes(spec, {65, 65, 65}, heavy), 1000.0 * 192 * 192 * 192) << "the method's";
  v1::TrainModelSpec given = spec;
  given.set_target(v1::PAIRS);
  EXPECT_EQ(TrainingSceneBytes(given, {65, 65, 65}, heavy), 0);
}

}  // namespace
}  // namespace deconvoy
