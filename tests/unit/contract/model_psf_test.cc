#include "proto/contract/model_psf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/geometry.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

v1::ModelPsfSpec Widefield() {
  v1::ModelPsfSpec spec;
  spec.mutable_optics()->set_na(1.4);
  spec.mutable_optics()->set_emission_um(0.52);
  return spec;
}

// What is refused, as "field: message".
std::string Refusal(const v1::ModelPsfSpec& spec) {
  const absl::Status status = ValidateModelPsf(spec);
  return status.ok() ? "" : InfoOf(status).field() + ": " + std::string(status.message());
}

TEST(ModelPsfTest, DefaultsFollowWhatIsGiven) {
  v1::ModelPsfSpec spec = Widefield();
  spec.mutable_optics()->set_ri_immersion(1.333);
  spec.mutable_optics()->set_coverslip_um(160);
  const v1::Optics optics = ResolveOptics(spec);
  EXPECT_EQ(optics.ri_sample(), 1.333);
  EXPECT_EQ(optics.ri_immersion_design(), 1.333);
  EXPECT_EQ(optics.coverslip_design_um(), 160);
  EXPECT_EQ(optics.ri_coverslip_design(), optics.ri_coverslip());
  EXPECT_EQ(optics.pinhole_au(), 1);
}

TEST(ModelPsfTest, ASimpleMicroscopeNeedsTwoNumbers) {
  EXPECT_EQ(Refusal(Widefield()), "");
  v1::ModelPsfSpec two = Widefield();
  two.set_microscopy(v1::TWO_PHOTON);
  two.mutable_optics()->clear_emission_um();
  two.mutable_optics()->set_excitation_um(0.92);
  EXPECT_EQ(Refusal(two), "");
  EXPECT_EQ(ResolveOptics(two).emission_um(), 0.92);
}

TEST(ModelPsfTest, SaysWhatIsMissing) {
  v1::ModelPsfSpec spec = Widefield();
  spec.mutable_optics()->clear_na();
  EXPECT_EQ(Refusal(spec), "model_psf.optics.na: `na` is not given");
  spec = Widefield();
  spec.set_microscopy(v1::CONFOCAL);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.excitation_um: `excitation_um` is not given");
  spec.set_microscopy(v1::LIGHT_SHEET);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.sheet_fwhm_um: `sheet_fwhm_um` is not given");
  spec.set_microscopy(v1::STED);
  spec.mutable_optics()->set_excitation_um(0.64);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.depletion_um: `depletion_um` is not given");
  spec.mutable_optics()->set_depletion_um(0.775);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.saturation: `saturation` is not given");
}

TEST(ModelPsfTest, SaysWhatCannotBe) {
  v1::ModelPsfSpec spec = Widefield();
  spec.mutable_optics()->set_emission_um(520);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.emission_um: `emission_um` is 520");
  EXPECT_THAT(InfoOf(ValidateModelPsf(spec)).remedy(), ::testing::HasSubstr("not nm"));
  spec = Widefield();
  spec.mutable_optics()->set_ri_immersion(1.333);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("`na` is 1.4, which no immersion of refractive index 1.333 allows"));
  spec = Widefield();
  spec.mutable_optics()->set_polarised(true);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("polarised illumination"));
  spec = Widefield();
  spec.mutable_optics()->set_depth_um(std::nan(""));
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("depth_um"));
}

TEST(ModelPsfTest, RefusesWhatWouldTakeForEver) {
  v1::ModelPsfSpec spec = Widefield();
  spec.mutable_optics()->set_ri_sample(1.333);
  spec.mutable_optics()->set_depth_um(1000);
  EXPECT_EQ(Refusal(spec), "");
  spec.mutable_optics()->set_depth_um(10'000);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("by up to 3500 wavelengths, more than 500"));
  spec = Widefield();
  spec.mutable_optics()->set_ri_immersion_design(1.333);
  EXPECT_EQ(Refusal(spec), "");
  spec.mutable_optics()->set_working_distance_um(50'000);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("no image forms"));
  spec = Widefield();
  *spec.mutable_shape() = ToProto(Voxel{64, 256, 256});
  spec.mutable_voxel_size()->set_x_um(65);
  EXPECT_EQ(Refusal(spec), "model_psf.shape: the PSF would reach over 16640 um, more than 2000");
}

TEST(ModelPsfTest, AJobNeedsAShapeAndVoxels) {
  v1::JobSpec job;
  *job.mutable_model_psf() = Widefield();
  EXPECT_EQ(InfoOf(ValidateJobSpec(job)).field(), "model_psf.shape");
  *job.mutable_model_psf()->mutable_shape() = ToProto(Voxel{11, 21, 21});
  EXPECT_EQ(InfoOf(ValidateJobSpec(job)).field(), "model_psf.voxel_size");
  for (auto set : {&v1::VoxelSize::set_z_um, &v1::VoxelSize::set_y_um, &v1::VoxelSize::set_x_um}) {
    (job.mutable_model_psf()->mutable_voxel_size()->*set)(0.1);
  }
  EXPECT_OK(ValidateJobSpec(job));
}

TEST(ModelPsfTest, KnowsWhichZernikeModesThereAre) {
  v1::ModelPsfSpec spec = Widefield();
  const auto add = [&spec](uint32_t noll, double waves) {
    v1::ZernikeTerm& term = *spec.mutable_optics()->add_zernike();
    term.set_noll(noll);
    term.set_rms_waves(waves);
  };
  add(11, 0.1);
  add(8, -0.05);
  EXPECT_EQ(Refusal(spec), "");
  add(11, 0.1);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.zernike: the Zernike mode 11 is given twice");
  spec.mutable_optics()->clear_zernike();
  add(38, 0.1);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.zernike: there is no Zernike mode 38");
  spec.mutable_optics()->clear_zernike();
  add(5, 0.8);
  add(6, -0.7);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("1.06 wavelengths root mean square together, more than 1"));
  spec.mutable_optics()->clear_zernike();
  add(5, std::nan(""));
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("more than 1"));
  spec.mutable_optics()->clear_zernike();
  add(5, 0.1);
  spec.set_model(v1::GAUSSIAN);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("a Gaussian has no aberrations"));
}

TEST(ModelPsfTest, BornAndWolfKnowNoLayers) {
  v1::ModelPsfSpec spec = Widefield();
  spec.set_model(v1::BORN_WOLF);
  spec.mutable_optics()->set_depth_um(10);
  EXPECT_EQ(Refusal(spec), "") << "one index everywhere";
  spec.mutable_optics()->set_ri_sample(1.333);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("knows no layers"));
  spec.set_model(v1::GIBSON_LANNI);
  EXPECT_EQ(Refusal(spec), "");
}

TEST(ModelPsfTest, AGaussianOfGivenWidthsNeedsNothingElse) {
  v1::ModelPsfSpec spec;
  spec.set_model(v1::GAUSSIAN);
  spec.mutable_optics()->set_fwhm_um(0.25);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.na: `na` is not given");
  spec.mutable_optics()->set_fwhm_z_um(0.7);
  EXPECT_EQ(Refusal(spec), "");
  for (auto set : {&v1::VoxelSize::set_z_um, &v1::VoxelSize::set_y_um, &v1::VoxelSize::set_x_um}) {
    (spec.mutable_voxel_size()->*set)(0.1);
  }
  EXPECT_EQ(AmplePsfShape(spec), (Shape3{29, 11, 11}));
  spec.set_model(v1::RICHARDS_WOLF);
  EXPECT_THAT(Refusal(spec), ::testing::HasSubstr("which only the model gaussian knows"));
}

TEST(ModelPsfTest, ASpinningDiskNeedsItsIllumination) {
  v1::ModelPsfSpec spec = Widefield();
  spec.set_microscopy(v1::SPINNING_DISK);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.excitation_um: `excitation_um` is not given");
  spec.mutable_optics()->set_excitation_um(0.488);
  EXPECT_EQ(Refusal(spec), "");
  spec.mutable_optics()->set_pinhole_spacing_um(0.01);
  EXPECT_EQ(Refusal(spec), "model_psf.optics.pinhole_spacing_um: `pinhole_spacing_um` is 0.01");
}

TEST(ModelPsfTest, AnAmpleShapeIsOddAndWidestInTheWideField) {
  v1::ModelPsfSpec spec = Widefield();
  spec.mutable_voxel_size()->set_z_um(0.2);
  spec.mutable_voxel_size()->set_y_um(0.065);
  spec.mutable_voxel_size()->set_x_um(0.065);
  const Shape3 wide = AmplePsfShape(spec);
  EXPECT_EQ(wide.z % 2 + wide.y % 2 + wide.x % 2, 3);
  spec.set_microscopy(v1::CONFOCAL);
  const Shape3 confocal = AmplePsfShape(spec);
  EXPECT_EQ(confocal.z, wide.z);
  EXPECT_LT(confocal.x, wide.x);
}

}  // namespace
}  // namespace deconvoy
