#include "client/cli/options/deconvolution_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/outcome.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<v1::DeconvolveSpec> Parse(const std::string& line) {
  CLI::App verb;
  DeconvolutionOptions options;
  AddDeconvolutionOptions(verb, options);
  try {
    verb.parse(line);
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  return ToSpec(options);
}

TEST(DeconvolutionOptionsTest, Defaults) {
  ASSERT_OK_AND_ASSIGN(const v1::DeconvolveSpec spec, Parse(""));
  EXPECT_EQ(spec.method(), "rl");
  EXPECT_TRUE(spec.parameters().empty());
  EXPECT_EQ(spec.boundary(), v1::BOUNDARY_UNSPECIFIED);
  EXPECT_TRUE(spec.background_auto());
  EXPECT_EQ(spec.psf_centre(), v1::AUTO_CENTRE);
  EXPECT_EQ(spec.psf_energy(), 0.999);
  EXPECT_FALSE(spec.has_gain_photons_per_count());
  EXPECT_FALSE(spec.has_offset_counts());
  EXPECT_FALSE(spec.has_tile());
  EXPECT_EQ(spec.output_type(), v1::F32);
  EXPECT_EQ(spec.backend(), "");
}

TEST(DeconvolutionOptionsTest, EveryOptionArrives) {
  ASSERT_OK_AND_ASSIGN(const v1::DeconvolveSpec spec,
                       Parse("--method rl --iterations 12 --set acceleration=none --set initial=image "
                             "--boundary periodic --background 7.5 --offset 100 --gain 0.46 --read-noise 1.6 "
                             "--psf-centre geometric-low --psf-energy 0.99 --tile 32,96,97 --dtype u16 --keep-offset "
                             "--backend cpu --saturation 4095 --psf-depths-um 0,2.5,10 --dark 1.5 --bad-pixels off "
                             "--bleaching correct --flicker correct --motion correct"));
  EXPECT_EQ(spec.dark_photons(), 1.5);
  EXPECT_TRUE(spec.keep_bad_pixels());
  EXPECT_TRUE(spec.correct_bleaching());
  EXPECT_TRUE(spec.correct_flicker());
  EXPECT_TRUE(spec.correct_motion());
  EXPECT_FALSE(spec.estimate_gain());
  EXPECT_EQ(spec.saturation_counts(), 4095);
  EXPECT_THAT(spec.psf_depths_um(), ::testing::ElementsAre(0, 2.5, 10));
  EXPECT_EQ(spec.parameters().at("iterations"), "12");
  EXPECT_EQ(spec.parameters().at("acceleration"), "none");
  EXPECT_EQ(spec.parameters().at("initial"), "image");
  EXPECT_EQ(spec.boundary(), v1::PERIODIC);
  EXPECT_EQ(spec.background_counts(), 7.5);
  EXPECT_EQ(spec.offset_counts(), 100);
  EXPECT_EQ(spec.gain_photons_per_count(), 0.46);
  EXPECT_EQ(spec.read_noise_photons(), 1.6);
  EXPECT_EQ(spec.psf_centre(), v1::GEOMETRIC_LOW);
  EXPECT_EQ(spec.psf_energy(), 0.99);
  EXPECT_EQ(spec.tile().core().z(), 32);
  EXPECT_EQ(spec.tile().core().x(), 97);
  EXPECT_EQ(spec.output_type(), v1::U16);
  EXPECT_TRUE(spec.keep_offset());
  EXPECT_EQ(spec.backend(), "cpu");
}

TEST(DeconvolutionOptionsTest, WhatIsGivenIsKnownThoughItIsTheDefault) {
  ASSERT_OK_AND_ASSIGN(const v1::DeconvolveSpec spec, Parse("--offset 0 --gain 1"));
  EXPECT_TRUE(spec.has_offset_counts());
  EXPECT_TRUE(spec.has_gain_photons_per_count());
  EXPECT_EQ(spec.gain_photons_per_count(), 1);
}

TEST(DeconvolutionOptionsTest, IterationsMayBeAutomatic) {
  ASSERT_OK_AND_ASSIGN(const v1::DeconvolveSpec spec, Parse("--iterations auto"));
  EXPECT_EQ(spec.parameters().at("iterations"), "auto");
}

TEST(DeconvolutionOptionsTest, OtherForms) {
  EXPECT_TRUE(Parse("--tile none")->tile().whole());
  EXPECT_EQ(Parse("--psf-centre 3,4,5")->psf_centre(), v1::GIVEN);
  EXPECT_EQ(Parse("")->psf_background_case(), v1::DeconvolveSpec::PSF_BACKGROUND_NOT_SET);
  EXPECT_TRUE(Parse("--psf-background auto")->psf_background_auto());
  EXPECT_EQ(Parse("--psf-background 102.5")->psf_background_counts(), 102.5);
  EXPECT_EQ(Parse("--psf-centre 3,4,5")->psf_centre_voxel().y(), 4);
  EXPECT_EQ(Parse("--dtype same")->output_type(), v1::VOXEL_TYPE_UNSPECIFIED);
  EXPECT_EQ(Parse("--background 0")->background_case(), v1::DeconvolveSpec::kBackgroundCounts);
  EXPECT_EQ(Parse("--background 2.5%")->background_percentile(), 2.5);
  EXPECT_TRUE(Parse("--background planes")->background_planes_auto());
  EXPECT_THAT(Parse("--background 3,4.5,0")->background_planes().counts(), ::testing::ElementsAre(3, 4.5, 0));
  EXPECT_EQ(Parse("--offset -3")->offset_counts(), -3);
}

TEST(DeconvolutionOptionsTest, WrongUseExitsWith2) {
  for (const char* line : {"--tile 1,2",
                           "--tile 0,1,1",
                           "--tile all",
                           "--psf-centre middle",
                           "--psf-background much",
                           "--psf-centre 1,2",
                           "--background dark",
                           "--background -1",
                           "--background 0%",
                           "--background 100%",
                           "--background 1,,2",
                           "--background 1,-2",
                           "--dtype u32",
                           "--boundary wrap",
                           "--set iterations",
                           "--set a=1 --set a=2",
                           "--iterations 3 --set iterations=4",
                           "--iterations many",
                           "--backend tpu",
                           "--gain x"}) {
    EXPECT_EQ(ExitCodeOf(Parse(line).status()), ExitCode::kUsage) << line << ": " << Parse(line).status();
  }
}

TEST(DeconvolutionOptionsTest, ValuesOutOfRangeExitWith2BeforeAnythingIsSent) {
  for (const char* line :
       {"--gain -1", "--gain 0", "--psf-energy 1.5", "--psf-energy 0", "--read-noise -1", "--method rl!",
        "--offset 1e300", "--saturation 0", "--saturation -1", "--psf-depths-um 0,5,5", "--psf-depths-um 3,1"}) {
    EXPECT_EQ(ExitCodeOf(Parse(line).status()), ExitCode::kUsage) << line << ": " << Parse(line).status();
  }
  EXPECT_THAT(std::string(Parse("--psf-energy 1.5").status().message()), HasSubstr("1.5"));
}

TEST(DeconvolutionOptionsTest, ModelsAndWhatTheyAreComparedWith) {
  ASSERT_OK_AND_ASSIGN(const v1::DeconvolveSpec spec,
                       Parse("--method network --network rln@2 --network models/other --compare-with rl-tv "
                             "--compared-tiles 5"));
  EXPECT_THAT(spec.models(), ::testing::ElementsAre("models/rln/versions/2", "models/other"));
  EXPECT_EQ(spec.classical_method(), "rl-tv");
  EXPECT_EQ(spec.compared_tiles(), 5);
  EXPECT_THAT(Parse("--network rln --network a/Net.safetensors")->models(),
              ::testing::ElementsAre("models/rln", "models/net"))
      << "a file's model has the name that it would get";
  EXPECT_EQ(Parse("--network rln")->compared_tiles(), 0) << "the server's own choice";
  EXPECT_EQ(Parse("--network rln --compared-tiles 0")->compared_tiles(), -1) << "none, as it says";
  for (const char* line : {"--compared-tiles 2", "--compare-with rl", "--network rln --compared-tiles -1",
                           "--network rln --compared-tiles 65", "--network rln --compared-tiles many",
                           "--network rln --compared-tiles 0 --compare-with rl", "--network RLN"}) {
    EXPECT_EQ(ExitCodeOf(Parse(line).status()), ExitCode::kUsage) << line << ": " << Parse(line).status();
  }
}

TEST(DeconvolutionOptionsTest, OnlyModelsTellASpread) {
  v1::DeconvolveSpec spec;
  EXPECT_EQ(ExitCodeOf(AskForSpread(spec)), ExitCode::kUsage);
  spec.add_models("models/rln");
  EXPECT_OK(AskForSpread(spec));
  EXPECT_TRUE(spec.spread());
}

TEST(DeconvolutionOptionsTest, TheGainMayBeLeftToBeEstimated) {
  ASSERT_OK_AND_ASSIGN(const v1::DeconvolveSpec spec, Parse("--gain auto"));
  EXPECT_TRUE(spec.estimate_gain());
  EXPECT_EQ(spec.gain_photons_per_count(), 0);
  EXPECT_FALSE(spec.keep_bad_pixels());
  EXPECT_FALSE(spec.correct_bleaching() || spec.correct_flicker() || spec.correct_motion());
  EXPECT_THAT(std::string(Parse("--gain much").status().message()), HasSubstr("neither auto nor a number"));
  EXPECT_FALSE(Parse("--bleaching much").ok());
  EXPECT_FALSE(Parse("--dark -1").ok());
}

}  // namespace
}  // namespace deconvoy::client
