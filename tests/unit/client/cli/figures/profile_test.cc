#include "client/cli/figures/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/cli/figures/memory_image.h"

namespace deconvoy::client::testing {
namespace {

using ::testing::HasSubstr;

constexpr Shape5 kShape{1, 2, 9, 20, 40};

// `value(z, y, x)` in channel 1, zeros in channel 0; voxels of 0.3 x 0.1 x 0.1 um.
template <typename Value>
MemoryImage<float> Image(const Value& value) {
  std::vector<float> values(static_cast<size_t>(kShape.z * kShape.y * kShape.x));  // of channel 0
  for (int64_t z = 0; z < kShape.z; ++z) {
    for (int64_t y = 0; y < kShape.y; ++y) {
      for (int64_t x = 0; x < kShape.x; ++x)
        values.push_back(
            static_cast<float>(value(static_cast<double>(z), static_cast<double>(y), static_cast<double>(x))));
    }
  }
  MemoryImage<float> image(kShape, values);
  image.mutable_spec().mutable_voxel_size()->set_z_um(0.3);
  image.mutable_spec().mutable_voxel_size()->set_y_um(0.1);
  image.mutable_spec().mutable_voxel_size()->set_x_um(0.1);
  return image;
}

double Ramp(double z, double y, double x) {
  return 100 * z + 10 * y + x;
}

double Gaussian(double distance, double fwhm) {
  return std::exp(-4 * std::log(2) * distance * distance / (fwhm * fwhm));
}

// Interpolation is exact where values are linear, whatever the line, and an average over a width changes nothing.
TEST(SampleProfileTest, ARampIsARampAlongAnyLine) {
  MemoryImage<float> image = Image(Ramp);
  for (const int64_t width : {1, 3}) {
    const ProfileLine line{.from = {2, 5.5, 6}, .to = {6, 13.25, 30}, .width = width, .c = 1};
    ASSERT_OK_AND_ASSIGN(const Profile profile, SampleProfile(image, line));
    ASSERT_EQ(profile.values.size(), 27U);  // 25.5 voxels
    EXPECT_NEAR(profile.step, std::sqrt(16 + 7.75 * 7.75 + 576) / 26, 1e-12);
    EXPECT_NEAR(profile.step_um, std::sqrt(1.2 * 1.2 + 0.775 * 0.775 + 2.4 * 2.4) / 26, 1e-12);
    for (size_t i = 0; i < profile.values.size(); ++i) {
      const double share = static_cast<double>(i) / 26;
      EXPECT_NEAR(profile.values[i], Ramp(2 + 4 * share, 5.5 + 7.75 * share, 6 + 24 * share), 1e-3)
          << width << " " << i;
    }
  }
}

TEST(SampleProfileTest, AtTheStacksFaceWhatIsOutsideCountsNothing) {
  MemoryImage<float> image = Image([](double, double, double x) { return x; });
  ASSERT_OK_AND_ASSIGN(const Profile profile,
                       SampleProfile(image, {.from = {0, 0, 0}, .to = {0, 0, 39}, .width = 5, .c = 1}));
  ASSERT_EQ(profile.values.size(), 40U);
  for (size_t i = 0; i < 40; ++i) EXPECT_NEAR(profile.values[i], static_cast<double>(i), 1e-9);
}

TEST(SampleProfileTest, RefusesLinesThatAreNotInTheStack) {
  MemoryImage<float> image = Image(Ramp);
  const absl::Status outside = SampleProfile(image, {.from = {0, 0, 0}, .to = {0, 0, 40}}).status();
  EXPECT_EQ(ReasonOf(outside), v1::INVALID_FIELD);
  EXPECT_THAT(InfoOf(outside).remedy(), HasSubstr("8,19,39"));
  for (const ProfileLine& line :
       {ProfileLine{.from = {1, 1, 1}, .to = {1, 1, 1}}, ProfileLine{.from = {0, 0, 0}, .to = {0, 0, 9}, .width = 2},
        ProfileLine{.from = {0, 0, 0}, .to = {0, 0, 9}, .width = 33},
        ProfileLine{.from = {0, 0, 0}, .to = {0, 0, 9}, .c = 2}, ProfileLine{.from = {0, 0, 0}, .to = {0, 0, NAN}}}) {
    EXPECT_EQ(ReasonOf(SampleProfile(image, line).status()), v1::INVALID_FIELD);
  }
}

TEST(BrightestVoxelTest, IsFoundInItsChannel) {
  MemoryImage<float> image = Image([](double z, double y, double x) { return z == 4 && y == 7 && x == 30 ? 9 : 1; });
  ASSERT_OK_AND_ASSIGN(const Voxel found, BrightestVoxel(image, 0, 1));
  EXPECT_EQ(found, (Voxel{4, 7, 30}));
}

// Of a width of 6 voxels, linear interpolation between samples is wrong by less than 1 %.
TEST(FindPeaksTest, AGaussiansWidthIsFoundAboveItsBackground) {
  for (const double fwhm : {3.0, 6.0, 9.5}) {
    MemoryImage<float> image = Image(
        [&](double z, double y, double x) { return 50 + 200 * Gaussian(std::hypot(z - 4, y - 10, x - 20.0), fwhm); });
    ASSERT_OK_AND_ASSIGN(const Profile profile, SampleProfile(image, {.from = {4, 10, 0}, .to = {4, 10, 39}, .c = 1}));
    const std::vector<Peak> peaks = FindPeaks(profile.values);
    ASSERT_EQ(peaks.size(), 1U);
    EXPECT_EQ(peaks[0].position, 20);
    EXPECT_NEAR(peaks[0].height, 250, 1e-4);
    EXPECT_NEAR(peaks[0].baseline, 50, 0.1);
    ASSERT_TRUE(peaks[0].fwhm.has_value());
    EXPECT_NEAR(*peaks[0].fwhm * profile.step, fwhm, fwhm < 5 ? 0.02 * fwhm : 0.01 * fwhm);
  }
}

TEST(FindPeaksTest, TwoPeaksHaveADip) {
  std::vector<double> values;
  for (int i = 0; i < 60; ++i) values.push_back(10 + 100 * Gaussian(i - 20, 6) + 80 * Gaussian(i - 36, 6));
  const std::vector<Peak> peaks = FindPeaks(values);
  ASSERT_EQ(peaks.size(), 2U);
  EXPECT_NEAR(*peaks[0].fwhm, 6, 0.1);
  EXPECT_NEAR(*peaks[1].fwhm, 6, 0.2);
  const std::vector<Dip> dips = FindDips(values, peaks);
  ASSERT_EQ(dips.size(), 1U);
  const double valley = *std::min_element(values.begin() + 20, values.begin() + 36);
  EXPECT_NEAR(dips[0].depth, 1 - (valley - 10) / (values[36] - 10), 1e-6);
  EXPECT_GT(dips[0].depth, 0.5);
}

TEST(FindPeaksTest, WhatDoesNotFallToHalfHasNoWidth) {
  const std::vector<Peak> edge = FindPeaks({10, 8, 5, 2, 1, 1});
  ASSERT_EQ(edge.size(), 1U);
  EXPECT_FALSE(edge[0].fwhm.has_value());
  const std::vector<Peak> shoulder = FindPeaks({0, 0, 10, 8, 9.5, 0, 0});
  ASSERT_EQ(shoulder.size(), 2U);
  EXPECT_FALSE(shoulder[1].fwhm.has_value()) << "towards the higher one it falls to 8 only";
}

TEST(FindPeaksTest, RipplesAndFlatLinesHaveNone) {
  EXPECT_TRUE(FindPeaks({5, 5, 5, 5}).empty());
  EXPECT_TRUE(FindPeaks({1, 2}).empty());
  EXPECT_EQ(FindPeaks({0, 100, 0, 5, 0, 5, 0}).size(), 1U);
  const std::vector<Peak> plateau = FindPeaks({0, 4, 4, 4, 0});
  ASSERT_EQ(plateau.size(), 1U);
  EXPECT_EQ(plateau[0].position, 2);
  EXPECT_DOUBLE_EQ(*plateau[0].fwhm, 3);
}

}  // namespace
}  // namespace deconvoy::client::testing
