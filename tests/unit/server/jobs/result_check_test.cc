#include "server/jobs/result_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

v1::DeconvolveSpec Spec(v1::VoxelType type) {
  v1::DeconvolveSpec spec;
  spec.set_output_type(type);
  return spec;
}

v1::AnalyseResult Frame(double maximum, double background) {
  v1::AnalyseResult analysis;
  v1::FrameStatistics& frame = *analysis.add_frames();
  frame.set_maximum(maximum);
  frame.set_background(background);
  return analysis;
}

v1::ResultStatistics Result(double minimum, double maximum, uint64_t clipped = 0) {
  v1::ResultStatistics result;
  result.set_minimum(minimum);
  result.set_maximum(maximum);
  result.set_clipped_voxels(clipped);
  return result;
}

TEST(ResultCheck, ABlackResultOfAnInputWithLightIsAnError) {
  for (const v1::VoxelType type : {v1::U8, v1::U16}) {
    const absl::Status status = CheckResult(Spec(type), Frame(0.4, 0), Result(0, 0.49)).status();
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.output_type");
    EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("--dtype f32"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("0.49 counts"));
  }
  EXPECT_EQ(ReasonOf(CheckResult(Spec(v1::U8), Frame(0.4, 0), Result(-3, 0.2, 7)).status()), v1::INVALID_FIELD)
      << "values below zero are stored as zero too";
}

// What an image under a PSF that cannot have made it comes to, or one under too high a background.
TEST(ResultCheck, AResultWithoutTheLightOfTheInputIsAnErrorInAnyType) {
  for (const v1::VoxelType type : {v1::F32, v1::U16}) {
    const absl::Status status = CheckResult(Spec(type), Frame(400, 100), Result(0, 1e-20)).status();
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_THAT(std::string(status.message()), HasSubstr("1e-20 counts, that of the image 300 above the background"));
    EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("swapped"));
    EXPECT_OK(CheckResult(Spec(type), Frame(400, 400), Result(0, 1e-20)));  // a blank frame
  }
  v1::DeconvolveSpec spec = Spec(v1::F32);
  spec.set_gain_photons_per_count(1e9);
  EXPECT_OK(CheckResult(spec, Frame(4e9, 1e9), Result(0, 1e-6)));
  EXPECT_OK(CheckResult(Spec(v1::F32), Frame(400, 100), Result(0, 0.001)));
}

TEST(ResultCheck, AKeptOffsetIsTheZero) {
  v1::DeconvolveSpec spec = Spec(v1::U16);
  spec.set_offset_counts(100);
  EXPECT_OK(CheckResult(spec, Frame(500, 0), Result(0, 100.3)));
  spec.set_keep_offset(true);
  const absl::Status black = CheckResult(spec, Frame(500, 0), Result(100, 100.3)).status();
  EXPECT_EQ(ReasonOf(black), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(black.message()), HasSubstr("stored as 100"));
  ASSERT_OK_AND_ASSIGN(const auto dark, CheckResult(spec, Frame(500, 0), Result(100, 109)));
  EXPECT_EQ(dark.size(), 1U);
  ASSERT_OK_AND_ASSIGN(const auto bright, CheckResult(spec, Frame(500, 0), Result(100, 110)));
  EXPECT_TRUE(bright.empty());
}

TEST(ResultCheck, AResultOfFewCountsIsWarnedOf) {
  for (const double brightest : {0.6, 9.9}) {
    ASSERT_OK_AND_ASSIGN(const auto findings, CheckResult(Spec(v1::U16), Frame(9, 0), Result(0, brightest)));
    ASSERT_EQ(findings.size(), 1U) << brightest;
    EXPECT_EQ(findings[0].severity(), v1::WARNING);
    EXPECT_THAT(findings[0].message(), HasSubstr("lost to rounding"));
    EXPECT_THAT(findings[0].info().remedy(), HasSubstr("--dtype f32"));
  }
  ASSERT_OK_AND_ASSIGN(const auto enough, CheckResult(Spec(v1::U16), Frame(9, 0), Result(0, 10)));
  EXPECT_TRUE(enough.empty());
}

TEST(ResultCheck, DarkInDarkOut) {
  // Blank, below the background, and flat, where the automatic background is the image but for its own rounding.
  for (const v1::AnalyseResult& input : {Frame(0, 0), Frame(40, 50), Frame(50, 50 * (1 - 1.0 / 8192))}) {
    ASSERT_OK_AND_ASSIGN(const auto findings, CheckResult(Spec(v1::U8), input, Result(0, 0.01)));
    EXPECT_TRUE(findings.empty());
  }
  v1::AnalyseResult one_of_two = Frame(0, 0);
  *one_of_two.add_frames() = Frame(90, 0).frames(0);
  EXPECT_FALSE(CheckResult(Spec(v1::U8), one_of_two, Result(0, 0.01)).ok()) << "light in any frame";
}

TEST(ResultCheck, F32IsNeverTooDark) {
  for (const v1::VoxelType type : {v1::F32, v1::VOXEL_TYPE_UNSPECIFIED}) {
    ASSERT_OK_AND_ASSIGN(const auto findings, CheckResult(Spec(type), Frame(0.4, 0), Result(0, 0.4)));
    EXPECT_TRUE(findings.empty());
  }
}

TEST(ResultCheck, ClippingIsWarnedOf) {
  ASSERT_OK_AND_ASSIGN(const auto findings, CheckResult(Spec(v1::U8), Frame(300, 0), Result(0, 300, 3)));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity(), v1::WARNING);
  EXPECT_THAT(findings[0].message(), HasSubstr("3 voxels of the result did not fit into U8"));
}

// The light of the frame may lie beside it.
TEST(ResultCheck, ARegionMayBeDark) {
  for (const v1::VoxelType type : {v1::F32, v1::U16}) {
    v1::DeconvolveSpec spec = Spec(type);
    spec.mutable_region_shape()->set_z(1);
    ASSERT_OK_AND_ASSIGN(const auto none, CheckResult(spec, Frame(400, 100), Result(0, 0)));
    EXPECT_TRUE(none.empty());
    v1::ResultStatistics faint = Result(0, 0.4);
    faint.set_input_sum(50);
    ASSERT_OK_AND_ASSIGN(const auto findings, CheckResult(spec, Frame(400, 100), faint));
    EXPECT_EQ(findings.size(), type == v1::U16 ? 1U : 0U);
  }
}

}  // namespace
}  // namespace deconvoy::server
