#include "worker/imaging/light_correction.h"

#include <gtest/gtest.h>

namespace deconvoy::worker {
namespace {

TEST(LightCorrectionTest, NothingIsCorrectedWithoutFlatFieldAndLight) {
  const LightCorrection none;
  EXPECT_FALSE(none.weighs());
  std::vector<float> photons = {1, 2}, m = {1, 0};
  none.Apply(0, photons);
  none.Weigh(0, m);
  EXPECT_EQ(photons, (std::vector<float>{1, 2}));
  EXPECT_EQ(m, (std::vector<float>{1, 0}));
}

TEST(LightCorrectionTest, LightAboveTheBackgroundIsDividedAndWeighsLess) {
  const LightCorrection bleached{.light = {1, 0.5F}, .light_maximum = 1, .background = 10};
  EXPECT_TRUE(bleached.weighs());
  std::vector<float> photons = {10, 30, 6}, m = {1, 1, 0};
  bleached.Apply(1, photons);
  bleached.Weigh(1, m);
  EXPECT_EQ(photons, (std::vector<float>{10, 50, 2}));
  EXPECT_EQ(m, (std::vector<float>{0.5, 0.5, 0}));
}

TEST(LightCorrectionTest, AFlatFieldDividesAllLight) {
  const LightCorrection flat{.flat = {0.5F, 1.5F, 0}, .flat_maximum = 2, .background = 4};
  std::vector<float> photons = {10, 30, 6}, m(3, 1.0F);
  flat.Apply(7, photons);
  flat.Weigh(7, m);
  EXPECT_EQ(photons, (std::vector<float>{20, 20, 4}));
  EXPECT_EQ(m, (std::vector<float>{0.25, 0.75, 0}));
}

TEST(LightCorrectionTest, PlanesAreRaisedToOneBackground) {
  const LightCorrection planes{.background = 10, .backgrounds = {10, 4}};
  EXPECT_FALSE(planes.weighs());
  std::vector<float> first = {10, 30}, second = {4, 30};
  planes.Apply(0, first);
  planes.Apply(1, second);
  EXPECT_EQ(first, (std::vector<float>{10, 30}));
  EXPECT_EQ(second, (std::vector<float>{10, 36}));
}

TEST(LightCorrectionTest, FadedLightStandsOnThePlanesOwnBackground) {
  const LightCorrection all{
      .flat = {0.5F, 0}, .flat_maximum = 2, .light = {0.5F}, .light_maximum = 1, .background = 10, .backgrounds = {4}};
  std::vector<float> photons = {12, 9};
  all.Apply(0, photons);
  EXPECT_EQ(photons, (std::vector<float>{10 + (12 / 0.5F - 4) / 0.5F, 10}));
}

TEST(LightCorrectionTest, PlanesOfTheSameLightWeighAlike) {
  const LightCorrection dim{.light = {0.5F, 0.5F}, .light_maximum = 0.5F};
  EXPECT_FALSE(dim.weighs());
}

}  // namespace
}  // namespace deconvoy::worker
