#include "worker/pipeline/light_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

LightSeries Series(int64_t frames, int64_t planes, const std::function<double(double t, double z)>& light) {
  LightSeries series{frames, planes, {}};
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t z = 0; z < planes; ++z) {
      const double noise = 1 + 0.003 * Random::OfVoxel(1, 2, static_cast<uint64_t>(t * planes + z)).Normal();
      series.light.push_back(noise * light(static_cast<double>(t), static_cast<double>(z)));
    }
  }
  return series;
}

double Nucleus(double z, double planes) {
  return 5 + 100 * std::exp(-12 * std::pow((z + 0.5) / planes - 0.5, 2));
}

std::string Warnings(const LightSurvey& survey) {
  std::string text;
  for (const v1::Finding& finding : survey.findings) {
    if (finding.severity() == v1::WARNING) text += finding.message() + " (" + finding.info().remedy() + ")\n";
  }
  return text;
}

v1::DeconvolveSpec Correct(bool bleaching, bool flicker) {
  v1::DeconvolveSpec spec;
  spec.set_correct_bleaching(bleaching);
  spec.set_correct_flicker(flicker);
  return spec;
}

TEST(LightSurveyTest, EvenLightIsNotWorthAWord) {
  EXPECT_TRUE(SurveyLight({}, 0, Series(1, 40, [](double, double) { return 20; })).findings.empty());
  EXPECT_TRUE(SurveyLight({}, 0, Series(1, 40, [](double, double z) { return Nucleus(z, 40); })).findings.empty());
  EXPECT_TRUE(SurveyLight({}, 0, Series(12, 1, [](double, double) { return 20; })).findings.empty());
  EXPECT_TRUE(SurveyLight({}, 0, Series(6, 30, [](double, double z) { return Nucleus(z, 30); })).findings.empty());
}

TEST(LightSurveyTest, LightThatDriftsOtherwiseIsReported) {
  const LightSurvey rising =
      SurveyLight({}, 0, Series(10, 20, [](double t, double z) { return (1 + 0.03 * t) * Nucleus(z, 20); }));
  EXPECT_THAT(Warnings(rising), HasSubstr("the light drifts over the time points, by up to +30 %"));
  // Down to 80 % in the middle, and back.
  const LightSurvey dips = SurveyLight(
      {}, 0, Series(20, 20, [](double t, double z) { return (0.8 + 0.2 * std::pow(t / 10 - 1, 2)) * Nucleus(z, 20); }));
  EXPECT_THAT(Warnings(dips), HasSubstr("the light drifts over the time points, by up to -"));
  const LightSurvey stack = SurveyLight({}, 0, Series(1, 50, [](double, double z) { return 1 + z / 100; }));
  ASSERT_EQ(stack.findings.size(), 1U);
  EXPECT_THAT(stack.findings[0].message(), HasSubstr("the light rises evenly by"));
  EXPECT_EQ(Warnings(stack), "");
  // Left as it is, as the specimen may have become brighter.
  const LightSurvey kept = SurveyLight(
      Correct(true, false), 0, Series(10, 20, [](double t, double z) { return (1 + 0.03 * t) * Nucleus(z, 20); }));
  EXPECT_TRUE(kept.plane_light.empty());
}

TEST(LightSurveyTest, FadingLightIsReported) {
  const LightSurvey over_time =
      SurveyLight({}, 1, Series(10, 20, [](double t, double z) { return std::exp(-0.05 * t) * Nucleus(z, 20); }));
  EXPECT_TRUE(over_time.plane_light.empty());
  EXPECT_THAT(Warnings(over_time), HasSubstr("channel 1: the light fades by 3"));
  EXPECT_THAT(Warnings(over_time), HasSubstr("--bleaching correct"));
  const LightSurvey stack = SurveyLight({}, 0, Series(1, 50, [](double, double z) { return std::pow(0.6, z / 49); }));
  ASSERT_EQ(stack.findings.size(), 1U);
  EXPECT_EQ(stack.findings[0].severity(), v1::INFO) << "it may be the specimen";
  EXPECT_THAT(stack.findings[0].message(), HasSubstr("falls evenly by 40 %"));
}

TEST(LightSurveyTest, WhatIsCorrectedIsNoted) {
  const LightSurvey survey =
      SurveyLight(Correct(true, false), 0, Series(1, 50, [](double, double z) { return std::pow(0.6, z / 49); }));
  ASSERT_EQ(survey.plane_light.size(), 50U);
  EXPECT_EQ(survey.plane_light.front(), 1);
  EXPECT_NEAR(survey.plane_light.back(), 0.6, 0.01);
  ASSERT_EQ(survey.findings.size(), 1U);
  EXPECT_EQ(survey.findings[0].severity(), v1::INFO);
  EXPECT_THAT(survey.findings[0].message(), HasSubstr("is corrected"));
}

TEST(LightSurveyTest, LightThatDoesNotFadeIsLeftAsItIs) {
  const LightSurvey survey =
      SurveyLight(Correct(true, false), 0, Series(1, 50, [](double, double z) { return std::pow(1.2, z / 49); }));
  EXPECT_TRUE(survey.plane_light.empty());
  EXPECT_THAT(survey.findings.front().message(), HasSubstr("no bleaching to correct"));
  EXPECT_THAT(SurveyLight(Correct(true, true), 0, Series(1, 5, [](double, double) { return 1; })).findings[0].message(),
              HasSubstr("not corrected"));
}

TEST(LightSurveyTest, AFitThatMayBeTheSpecimenIsWarnedOf) {
  const LightSurvey survey = SurveyLight(
      Correct(true, false), 0, Series(1, 40, [](double, double z) { return std::exp(-0.02 * z) * Nucleus(z, 40); }));
  EXPECT_FALSE(survey.plane_light.empty());
  EXPECT_THAT(Warnings(survey), HasSubstr("specimen's own shape"));
}

TEST(LightSurveyTest, FlickerIsReportedOrCorrected) {
  const LightSeries series = Series(1, 60, [](double, double z) {
    return Nucleus(z, 60) * (1 + 0.06 * Random::OfVoxel(7, 1, static_cast<uint64_t>(z)).Normal());
  });
  const LightSurvey noted = SurveyLight({}, 0, series);
  ASSERT_EQ(noted.findings.size(), 1U);
  EXPECT_EQ(noted.findings[0].severity(), v1::INFO) << "planes of a sparse specimen differ as much";
  EXPECT_THAT(noted.findings[0].message(), HasSubstr("flickers by"));
  const LightSeries strong = Series(1, 60, [](double, double z) {
    return Nucleus(z, 60) * (1 + 0.2 * Random::OfVoxel(7, 1, static_cast<uint64_t>(z)).Normal());
  });
  EXPECT_THAT(Warnings(SurveyLight({}, 0, strong)), HasSubstr("flickers by"));
  const LightSurvey corrected = SurveyLight(Correct(false, true), 0, series);
  EXPECT_EQ(corrected.plane_light.size(), 60U);
  EXPECT_EQ(Warnings(corrected), "");
}

TEST(LightSurveyTest, BothCorrectionsMultiply) {
  const LightSurvey survey =
      SurveyLight(Correct(true, true), 0,
                  Series(1, 49, [](double, double z) { return std::pow(0.5, z / 48) * (z == 24 ? 0.8 : 1); }));
  ASSERT_EQ(survey.plane_light.size(), 49U);
  EXPECT_NEAR(survey.plane_light[24], std::sqrt(0.5) * 0.8, 0.02);
}

TEST(LightSurveyTest, LossWithDepthIsToldFromBleachingOverTime) {
  const LightSurvey survey =
      SurveyLight({}, 0, Series(8, 30, [](double t, double z) { return std::exp(-0.05 * t) * std::pow(0.7, z / 29); }));
  EXPECT_THAT(Warnings(survey), HasSubstr("fades by"));
  EXPECT_THAT(Warnings(survey), HasSubstr("at all time points the light falls evenly by 30 %"));
}

}  // namespace
}  // namespace deconvoy::worker
