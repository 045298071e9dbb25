#include "client/cli/image_optics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/psf_from_optics.h"
#include "proto/contract/error.h"
#include "proto/contract/model_psf.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::VolumeSpec Image(std::vector<double> emissions_um, std::vector<double> excitations_um = {}) {
  v1::VolumeSpec image;
  image.set_display_name("cell.ome.tif");
  *image.mutable_shape() = ToProto(Shape5{1, static_cast<int64_t>(emissions_um.size()), 20, 64, 64});
  image.mutable_voxel_size()->set_z_um(0.2);
  image.mutable_voxel_size()->set_y_um(0.065);
  image.mutable_voxel_size()->set_x_um(0.065);
  for (size_t c = 0; c < emissions_um.size(); ++c) {
    v1::Channel& channel = *image.add_channels();
    channel.set_emission_wavelength_um(emissions_um[c]);
    if (c < excitations_um.size()) channel.set_excitation_wavelength_um(excitations_um[c]);
  }
  return image;
}

imageio::Acquisition Oil(const std::string& mode, size_t channels = 1) {
  return {.na = 1.4,
          .magnification = 63,
          .immersion = "Oil",
          .ri_immersion = 1.518,
          .channels = std::vector<imageio::ChannelAcquisition>(channels, {.mode = mode})};
}

ImageOptics Find(const v1::VolumeSpec& image, const imageio::Acquisition& acquisition,
                 const OpticsOptions& options = {}) {
  const absl::StatusOr<ImageOptics> found = FindOptics(image, acquisition, options);
  EXPECT_OK(found.status());
  return found.ok() ? *found : ImageOptics();
}

std::vector<std::string> Missing(const ImageOptics& optics) {
  std::vector<std::string> fields;
  for (const MissingOptic& missing : optics.missing) fields.push_back(missing.field);
  return fields;
}

TEST(ImageOptics, AFileMayTellAll) {
  const ImageOptics found = Find(Image({0.461, 0.52}), Oil("WideField", 2));
  EXPECT_TRUE(found.complete()) << ::testing::PrintToString(Missing(found));
  EXPECT_EQ(found.microscopy, v1::WIDEFIELD);
  ASSERT_EQ(found.channels.size(), 2U);
  EXPECT_EQ(found.channels[0].na(), 1.4);
  EXPECT_EQ(found.channels[0].ri_immersion(), 1.518);
  EXPECT_EQ(found.channels[0].emission_um(), 0.461);
  EXPECT_EQ(found.channels[1].emission_um(), 0.52);
  EXPECT_THAT(found.used, Contains("na 1.4 (file)"));
  EXPECT_THAT(found.used, Contains("emission_um of channel 1 0.52 (file)"));
  EXPECT_OK(CheckSuffices(found, "cell.ome.tif", false));
}

TEST(ImageOptics, OptionsComeBeforeTheFile) {
  const ImageOptics found = Find(
      Image({0.461, 0.52}), Oil("WideField", 2),
      {.optics = {"na=1.3", "emission_um=0.5/0.6", "ri_sample=1.38", "excitation_um=0.4"}, .microscopy = "confocal"});
  EXPECT_TRUE(found.complete());
  EXPECT_EQ(found.microscopy, v1::CONFOCAL);
  EXPECT_EQ(found.channels[1].na(), 1.3);
  EXPECT_EQ(found.channels[0].emission_um(), 0.5);
  EXPECT_EQ(found.channels[1].emission_um(), 0.6);
  EXPECT_EQ(found.channels[1].ri_sample(), 1.38);
  EXPECT_THAT(found.used, Contains("emission_um 0.5/0.6 (given)"));
}

TEST(ImageOptics, ANamedImmersionHasItsUsualIndex) {
  imageio::Acquisition water = Oil("WideField");
  water.na = 1.2;
  water.immersion = "WaterDipping";
  water.ri_immersion = 0;
  const ImageOptics found = Find(Image({0.52}), water);
  EXPECT_TRUE(found.complete());
  EXPECT_EQ(found.channels[0].ri_immersion(), 1.333);
}

TEST(ImageOptics, AnIndexThatTheApertureForbidsIsMissing) {
  imageio::Acquisition air = Oil("WideField");
  air.immersion = "Air";
  air.ri_immersion = 0;
  const ImageOptics found = Find(Image({0.52}), air);
  EXPECT_THAT(Missing(found), ElementsAre("ri_immersion"));
  EXPECT_THAT(found.missing[0].what, HasSubstr("1, which no NA of 1.4 allows"));
  EXPECT_EQ(found.channels[0].ri_immersion(), 1.515) << "what would be assumed";
}

TEST(ImageOptics, SaysExactlyWhatIsMissingAndWhatItWouldAssume) {
  v1::VolumeSpec image = Image({0, 0}, {0.488});
  image.mutable_channels(1)->set_name("Alexa 647");
  const ImageOptics found = Find(image, {.na = 1.4});
  EXPECT_THAT(Missing(found), ElementsAre("microscopy", "ri_immersion", "emission_um", "emission_um"));
  EXPECT_TRUE(found.assumable());
  EXPECT_NEAR(found.channels[0].emission_um(), 0.518, 1e-9);
  EXPECT_NEAR(found.channels[1].emission_um(), 0.668, 1e-9);
  const absl::Status status = CheckSuffices(found, "cell.ome.tif", false);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the kind of microscope (widefield would be assumed)"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the refractive index of the immersion (1.515 would be assumed)"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the wavelength of the emission of channel 1 (Alexa 647) (0.668 would be assumed)"));
  EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("or --assume"));
  EXPECT_EQ(InfoOf(status).metadata().at("missing"), "microscopy,ri_immersion,emission_um,emission_um");
  EXPECT_OK(CheckSuffices(found, "cell.ome.tif", true));
}

TEST(ImageOptics, WhatHasNoUsualValueCannotBeAssumed) {
  const ImageOptics found = Find(Image({0.52}), {});
  EXPECT_FALSE(found.assumable());
  const absl::Status status = CheckSuffices(found, "raw.tif", true);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the numerical aperture of the objective"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("kind of microscope")));
  EXPECT_THAT(InfoOf(status).remedy(), Not(HasSubstr("--assume")));
  v1::VolumeSpec unsized = Image({0.52});
  unsized.clear_voxel_size();
  EXPECT_THAT(Missing(Find(unsized, Oil("WideField"))), ElementsAre("voxel_um"));
}

TEST(ImageOptics, AConfocalHasItsPinholeInAiryUnits) {
  imageio::Acquisition confocal = Oil("LaserScanningConfocalMicroscopy");
  const double airy_um = 1.22 * 0.52 / 1.4 * 63;
  confocal.channels[0].pinhole_um = 0.8 * airy_um;
  const ImageOptics found = Find(Image({0.52}, {0.488}), confocal);
  EXPECT_TRUE(found.complete());
  EXPECT_EQ(found.microscopy, v1::CONFOCAL);
  EXPECT_NEAR(found.channels[0].pinhole_au(), 0.8, 1e-9);
  EXPECT_EQ(found.channels[0].excitation_um(), 0.488);
  confocal.channels[0].pinhole_um = 100 * airy_um;  // in a unit that nobody told
  EXPECT_EQ(Find(Image({0.52}, {0.488}), confocal).channels[0].pinhole_au(), 1);
}

TEST(ImageOptics, KindsOfMicroscopesAreKnownByTheirNames) {
  EXPECT_EQ(Find(Image({0.52}, {0.488}), Oil("SpinningDiskConfocal")).microscopy, v1::SPINNING_DISK);
  EXPECT_EQ(Find(Image({0}, {0.9}), Oil("MultiPhotonMicroscopy")).microscopy, v1::TWO_PHOTON);
  EXPECT_TRUE(Find(Image({0}, {0.9}), Oil("MultiPhotonMicroscopy")).complete());
  EXPECT_THAT(Missing(Find(Image({0.52}), Oil("SPIM"))), ElementsAre("sheet_fwhm_um"));
  EXPECT_THAT(Missing(Find(Image({0.52}, {0.488}), Oil("STED"))), ElementsAre("depletion_um", "saturation"));
}

TEST(ImageOptics, TransmittedLightHasNoPsf) {
  imageio::Acquisition mixed = Oil("WideField", 2);
  mixed.channels[1].contrast = "DIC";
  const ImageOptics found = Find(Image({0.52, 0}), mixed);
  EXPECT_FALSE(found.assumable());
  const absl::Status status = CheckSuffices(found, "cell.ome.tif", true);
  EXPECT_THAT(std::string(status.message()), HasSubstr("channel 1 was taken as `DIC`"));
  mixed = Oil("WideField", 2);
  mixed.channels[1].mode = "SPIM";
  EXPECT_THAT(Find(Image({0.52, 0.52}), mixed).impossible, HasSubstr("widefield and light-sheet"));
}

TEST(ImageOptics, WrongOptionsAreOfUsage) {
  const auto error = [](std::vector<std::string> optics) {
    return FindOptics(Image({0.5, 0.6}), Oil("WideField", 2), {.optics = std::move(optics)}).status();
  };
  EXPECT_THAT(InfoOf(error({"emision_um=0.5"})).remedy(), HasSubstr("emission_um"));
  EXPECT_THAT(std::string(error({"na=x"}).message()), HasSubstr("no number"));
  EXPECT_THAT(std::string(error({"emission_um=0.5/0.6/0.7"}).message()), HasSubstr("3 values of emission_um"));
}

TEST(PsfFromOptics, EachChannelHasItsPsfOfTheSameExtents) {
  const v1::VolumeSpec image = Image({0.461, 0.668});
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::ModelPsfSpec> specs, PsfSpecsFor(Find(image, Oil("WideField", 2)), image));
  ASSERT_EQ(specs.size(), 2U);
  EXPECT_EQ(specs[0].shape().SerializeAsString(), specs[1].shape().SerializeAsString());
  EXPECT_EQ(specs[0].shape().z() % 2, 1);
  EXPECT_LE(specs[0].shape().z(), 39);
  EXPECT_EQ(specs[1].optics().emission_um(), 0.668);
  EXPECT_EQ(specs[1].voxel_size().x_um(), 0.065);
  EXPECT_EQ(PsfVolumeSpec(specs).shape().c(), 2U);
}

TEST(PsfFromOptics, EachChannelHasTheModel) {
  const v1::VolumeSpec image = Image({0.461, 0.668});
  const ImageOptics found = Find(image, Oil("WideField", 2));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::ModelPsfSpec> specs, PsfSpecsFor(found, image, v1::DEBYE));
  for (const v1::ModelPsfSpec& spec : specs) EXPECT_EQ(spec.model(), v1::DEBYE);
  ImageOptics deep = found;
  for (v1::Optics& channel : deep.channels) channel.set_ri_sample(1.33);
  EXPECT_OK(PsfSpecsFor(deep, image, v1::GIBSON_LANNI).status());
  EXPECT_EQ(InfoOf(PsfSpecsFor(deep, image, v1::BORN_WOLF).status()).field(), "model_psf.model");
}

TEST(PsfFromOptics, OfOnePlaneItIsFlat) {
  v1::VolumeSpec image = Image({0.52});
  image.mutable_shape()->set_z(1);
  image.mutable_voxel_size()->set_z_um(0);
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::ModelPsfSpec> specs, PsfSpecsFor(Find(image, Oil("WideField")), image));
  EXPECT_EQ(specs[0].shape().z(), 1);
  EXPECT_OK(ValidateModelPsf(specs[0]));
}

TEST(PsfFromOptics, OfOnePlaneItHasTheImagesStep) {
  v1::VolumeSpec image = Image({0.52});
  image.mutable_shape()->set_z(1);
  image.mutable_voxel_size()->set_z_um(0.17);
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::ModelPsfSpec> specs, PsfSpecsFor(Find(image, Oil("WideField")), image));
  EXPECT_EQ(PsfVolumeSpec(specs).voxel_size().z_um(), 0.17);
  EXPECT_OK(ValidatePsf(v1::DeconvolveSpec(), image, PsfVolumeSpec(specs), nullptr));
}

TEST(PsfFromOptics, OpticsThatCannotBeAreRefused) {
  const v1::VolumeSpec image = Image({0.52});
  const ImageOptics found = Find(image, Oil("WideField"), {.optics = {"na=1.6", "ri_immersion=1.5"}});
  EXPECT_EQ(ReasonOf(PsfSpecsFor(found, image).status()), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy::client
