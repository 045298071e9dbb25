#include "worker/psf/optics_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::array<double, 3> kVoxel = {0.2, 0.065, 0.065};
constexpr Shape3 kShape{31, 41, 41};

Microscope Widefield() {
  Microscope microscope;
  microscope.emission.na = 1.4;
  microscope.emission.wavelength_um = 0.52;
  return microscope;
}

Microscope Confocal() {
  Microscope microscope = Widefield();
  microscope.kind = Microscopy::kConfocal;
  microscope.excitation_um = 0.488;
  return microscope;
}

// The PSF of `microscope`, `scale` times as wide: on voxels that much smaller.
std::vector<float> Psf(const Microscope& microscope, double scale = 1, double scale_z = 0) {
  const double along_z = scale_z > 0 ? scale_z : scale;
  return MakePsf(microscope,
                 {.shape = kShape, .z_um = kVoxel[0] / along_z, .y_um = kVoxel[1] / scale, .x_um = kVoxel[2] / scale},
                 1);
}

std::vector<std::string> Defects(const std::vector<float>& psf, const Microscope& microscope,
                                 const std::array<double, 3>& voxel = kVoxel) {
  std::vector<std::string> names;
  for (const PsfDefect& defect : CompareWithOptics(psf, kShape, voxel, microscope).defects) {
    EXPECT_FALSE(defect.message.empty());
    EXPECT_FALSE(defect.remedy.empty());
    names.push_back(defect.name);
  }
  return names;
}

TEST(OpticsCheck, APsfOfTheOpticsIsClean) {
  for (const Microscope& microscope : {Widefield(), Confocal()}) {
    EXPECT_THAT(Defects(Psf(microscope), microscope), IsEmpty());
  }
}

TEST(OpticsCheck, WidthsAreThoseOfTheFormulas) {
  Microscope low = Widefield();
  low.emission.na = 0.3;
  low.emission.ri_immersion = low.emission.ri_immersion_design = low.emission.ri_sample = 1;
  const std::array<double, 3> voxel = {2, 0.2, 0.2};
  const std::vector<float> psf = MakePsf(low, {.shape = kShape, .z_um = 2, .y_um = 0.2, .x_um = 0.2}, 1);
  const OpticsComparison found = CompareWithOptics(psf, kShape, voxel, low);
  EXPECT_NEAR(*found.expected_um[2], 0.5145 * 0.52 / 0.3, 0.03 * 0.892);
  EXPECT_NEAR(*found.expected_um[0], 0.886 * 0.52 / (1 - std::sqrt(1 - 0.09)), 0.05 * 10);
  EXPECT_NEAR(*found.measured_um[2], *found.expected_um[2], 1e-3 * *found.expected_um[2]);
  EXPECT_NEAR(found.nyquist_um[2], 0.52 / 1.2, 1e-9);
  EXPECT_NEAR(found.nyquist_um[0], 0.52 / 2 / (1 - std::sqrt(1 - 0.09)), 1e-9);
}

TEST(OpticsCheck, FindsOneThatIsTooBroad) {
  for (const double factor : {1.4, 2.0}) {
    const OpticsComparison found = CompareWithOptics(Psf(Widefield(), factor), kShape, kVoxel, Widefield());
    ASSERT_EQ(found.defects.size(), 1U) << factor;
    EXPECT_EQ(found.defects[0].name, "too_broad");
    EXPECT_NEAR(found.defects[0].number, factor, 0.1 * factor);
    EXPECT_THAT(found.defects[0].remedy, HasSubstr("All axes are too broad alike"));
  }
}

TEST(OpticsCheck, FindsOneThatIsTooNarrow) {
  EXPECT_THAT(Defects(Psf(Widefield(), 1 / 1.4), Widefield()), ElementsAre("too_narrow"));
}

TEST(OpticsCheck, FindsOneThatIsTooLongAlone) {
  const OpticsComparison found = CompareWithOptics(Psf(Widefield(), 1, 2), kShape, kVoxel, Widefield());
  ASSERT_EQ(found.defects.size(), 1U);
  EXPECT_EQ(found.defects[0].name, "too_broad");
  EXPECT_THAT(found.defects[0].message, HasSubstr("along z"));
  EXPECT_THAT(found.defects[0].remedy, HasSubstr("clump"));
}

TEST(OpticsCheck, FindsAWrongVoxelSizeAndAWrongWavelength) {
  // Half the voxel size is said: everything looks half as wide. And twice.
  const std::array<double, 3> half = {kVoxel[0] / 2, kVoxel[1] / 2, kVoxel[2] / 2};
  EXPECT_THAT(Defects(Psf(Widefield()), Widefield(), half), ElementsAre("too_narrow"));
  Microscope red = Widefield();
  red.emission.wavelength_um = 0.75;
  EXPECT_THAT(Defects(Psf(Widefield()), red), ElementsAre("too_narrow"));
  EXPECT_THAT(Defects(Psf(red), Widefield()), ElementsAre("too_broad"));
}

TEST(OpticsCheck, AnAberratedOrNoisyOneIsClean) {
  Microscope deep = Widefield();
  deep.emission.ri_sample = 1.38;
  deep.emission.depth_um = 2;
  EXPECT_THAT(Defects(Psf(deep), Widefield()), IsEmpty());
  std::vector<float> noisy = Psf(Widefield());
  const float most = *std::max_element(noisy.begin(), noisy.end());
  unsigned state = 1;
  for (float& v : noisy) {
    state = state * 1664525U + 1013904223U;
    v += most * 0.03F * (static_cast<float>(state >> 16) / 65536.0F - 0.5F);
  }
  EXPECT_THAT(Defects(noisy, Widefield()), IsEmpty());
}

TEST(OpticsCheck, FindsVoxelsThatAreTooLarge) {
  const std::array<double, 3> coarse = {0.2, 0.2, 0.2};
  const std::vector<float> psf =
      MakePsf(Widefield(), {.shape = kShape, .z_um = coarse[0], .y_um = coarse[1], .x_um = coarse[2]}, 1);
  const OpticsComparison found = CompareWithOptics(psf, kShape, coarse, Widefield());
  ASSERT_EQ(found.defects.size(), 1U);
  EXPECT_EQ(found.defects[0].name, "undersampled");
  EXPECT_NEAR(found.defects[0].number, 0.2 / (0.52 / 5.6), 1e-6);
}

// Nanometres taken for micrometres: a PSF that reached so far would take gigabytes.
TEST(OpticsCheck, VoxelsThatShowNoWidthAreOnlyTooLarge) {
  const std::vector<float> psf = Psf(Widefield());
  const OpticsComparison found = CompareWithOptics(psf, kShape, {200, 65, 65}, Confocal());
  for (const auto& width : found.expected_um) EXPECT_FALSE(width.has_value());
  EXPECT_TRUE(found.measured_um[2].has_value());
  ASSERT_EQ(found.defects.size(), 1U);
  EXPECT_EQ(found.defects[0].name, "undersampled");
  const OpticsComparison along_z = CompareWithOptics(psf, kShape, {200, 0.065, 0.065}, Widefield());
  EXPECT_FALSE(along_z.expected_um[0].has_value());
  EXPECT_TRUE(along_z.expected_um[2].has_value());
}

TEST(OpticsCheck, APsfOfOnePlaneHasNoWidthAlongZ) {
  const Shape3 flat{1, 41, 41};
  const std::vector<float> psf = MakePsf(Widefield(), {.shape = flat, .z_um = 1, .y_um = 0.065, .x_um = 0.065}, 1);
  const OpticsComparison found = CompareWithOptics(psf, flat, {1, 0.065, 0.065}, Widefield());
  EXPECT_FALSE(found.measured_um[0].has_value());
  EXPECT_TRUE(found.measured_um[1].has_value());
  EXPECT_THAT(found.defects, IsEmpty());
}

TEST(OpticsCheck, WidthsAreText) {
  EXPECT_EQ(WidthsText({std::nullopt, 0.2104, 0.2}), "- x 0.21 x 0.2 um");
}

}  // namespace
}  // namespace deconvoy::worker
