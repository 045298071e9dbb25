#include "worker/pipeline/check_psf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MemoryTask;

constexpr Shape3 kFrame{31, 41, 41};

std::vector<float> Psf(double scale = 1) {
  Microscope microscope;
  microscope.emission.na = 1.4;
  microscope.emission.wavelength_um = 0.52;
  return MakePsf(microscope, {.shape = kFrame, .z_um = 0.2 / scale, .y_um = 0.065 / scale, .x_um = 0.065 / scale}, 1);
}

v1::CheckPsfSpec& Fill(MemoryTask& task, const std::vector<float>& values, int64_t channels = 1) {
  task.AddInput("volumes/psf", {1, channels, kFrame.z, kFrame.y, kFrame.x}, values);
  v1::VoxelSize& voxel = *task.task.mutable_inputs(0)->mutable_spec()->mutable_voxel_size();
  voxel.set_z_um(0.2);
  voxel.set_y_um(0.065);
  voxel.set_x_um(0.065);
  v1::CheckPsfSpec& spec = *task.task.mutable_check_psf()->mutable_spec();
  spec.set_psf_volume("volumes/psf");
  v1::Optics& optics = *spec.add_optics();
  optics.set_na(1.4);
  optics.set_emission_um(0.52);
  return spec;
}

// Names of the defects, in the order of the findings.
std::vector<std::string> Defects(const v1::TaskResult& result) {
  std::vector<std::string> names;
  for (const v1::Finding& finding : result.check_psf().findings()) {
    if (finding.severity() != v1::WARNING) continue;
    EXPECT_TRUE(finding.info().field().starts_with("check_psf.")) << finding.info().field();
    EXPECT_FALSE(finding.info().remedy().empty());
    EXPECT_GT(std::stod(finding.info().metadata().at("number")), 0);
    names.push_back(finding.info().metadata().at("defect"));
  }
  return names;
}

std::vector<std::string> DefectsOf(MemoryTask& task) {
  const absl::StatusOr<v1::TaskResult> result = RunCheckPsf(task.task, task);
  EXPECT_OK(result.status());
  return result.ok() ? Defects(*result) : std::vector<std::string>();
}

TEST(CheckPsfTask, ACleanOneRaisesNothing) {
  MemoryTask task;
  Fill(task, Psf());
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(result), IsEmpty());
  ASSERT_EQ(result.check_psf().psfs_size(), 1);
  EXPECT_EQ(result.check_psf().psfs(0).centre().z(), 15);
  std::string messages;
  for (const v1::Finding& finding : result.check_psf().findings()) messages += finding.message() + "\n";
  EXPECT_THAT(messages, HasSubstr("its width at half maximum is"));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{1, 1}));
}

TEST(CheckPsfTask, PlantedFaultsAreFoundAndNamed) {
  {
    MemoryTask task;
    Fill(task, Psf(2));
    EXPECT_THAT(DefectsOf(task), ::testing::Contains("too_broad"));
  }
  {
    std::vector<float> values = Psf();
    const float most = *std::max_element(values.begin(), values.end());
    for (size_t i = 0; i < values.size(); ++i) values[i] += 0.05F * most;
    MemoryTask task;
    Fill(task, values);
    EXPECT_THAT(DefectsOf(task), ::testing::Contains("background"));
  }
  {
    std::vector<float> values = Psf();
    const std::vector<float> other = values;
    for (size_t i = 14; i < values.size(); ++i) values[i] += 0.7F * other[i - 14];
    MemoryTask task;
    Fill(task, values);
    EXPECT_THAT(DefectsOf(task), ElementsAre("second_peak"));
  }
  {
    std::vector<float> values = Psf();
    const float most = *std::max_element(values.begin(), values.end());
    for (float& v : values) v = std::round(255 * std::min(v / most, 0.5F) * 2);
    MemoryTask task;
    Fill(task, values);
    EXPECT_THAT(DefectsOf(task), ::testing::Contains("saturation"));
  }
  {
    std::vector<float> values = Psf();
    const std::vector<float> whole = values;
    for (size_t i = 0; i < values.size(); ++i) values[i] = i % 41 < 20 ? whole[i + 20] : 0;
    MemoryTask task;
    Fill(task, values);
    EXPECT_THAT(DefectsOf(task), ::testing::Contains("cut_sideways"));
  }
}

TEST(CheckPsfTask, ABackgroundThatIsTakenOffIsNoFault) {
  std::vector<float> values = Psf();
  const float most = *std::max_element(values.begin(), values.end());
  const float background = 0.05F * most;
  for (float& v : values) v += background;
  MemoryTask task;
  v1::CheckPsfSpec& spec = Fill(task, values);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult as_recorded, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(as_recorded), ::testing::Contains("background"));
  EXPECT_EQ(as_recorded.check_psf().psfs(0).background(), 0);

  spec.set_psf_background_auto(true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult cleaned, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(cleaned), IsEmpty());
  EXPECT_NEAR(cleaned.check_psf().psfs(0).background(), background, 0.01 * most);
  std::string messages;
  for (const v1::Finding& finding : cleaned.check_psf().findings()) messages += finding.message() + "\n";
  EXPECT_THAT(messages, HasSubstr("PSF of channel 0: a background of"));

  spec.set_psf_background_counts(background);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult told, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(told), IsEmpty());
  EXPECT_EQ(told.check_psf().psfs(0).background(), background);
}

TEST(CheckPsfTask, HoldsItAgainstTheImagesVoxelsAndExtents) {
  MemoryTask task;
  v1::CheckPsfSpec& spec = Fill(task, Psf());
  spec.mutable_image_voxel_size()->set_z_um(0.2);
  spec.mutable_image_voxel_size()->set_y_um(0.13);
  spec.mutable_image_voxel_size()->set_x_um(0.13);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(result), ElementsAre("voxel_size"));
  EXPECT_THAT(result.check_psf().findings(0).message(), HasSubstr("along y its voxels are 0.065 um, 0.5 times"));
  spec.clear_image_voxel_size();
  spec.mutable_image_shape()->set_z(3);
  spec.mutable_image_shape()->set_y(64);
  spec.mutable_image_shape()->set_x(64);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult deep, RunCheckPsf(task.task, task));
  std::string warnings;
  for (const v1::Finding& finding : deep.check_psf().findings()) {
    if (finding.severity() == v1::WARNING) warnings += finding.message();
  }
  EXPECT_THAT(warnings, HasSubstr("reach farther from its centre than the image of 3x64x64"));
}

TEST(CheckPsfTask, EachChannelHasItsOptics) {
  std::vector<float> values = Psf(), second = Psf();
  values.insert(values.end(), second.begin(), second.end());
  MemoryTask task;
  v1::CheckPsfSpec& spec = Fill(task, values, 2);
  spec.add_optics()->set_na(0.7);
  spec.mutable_optics(1)->set_emission_um(0.52);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(result), ElementsAre("too_narrow"));
  EXPECT_THAT(result.check_psf().findings().rbegin()->message(), HasSubstr("PSF of channel 1"));
}

TEST(CheckPsfTask, OneForAllChannelsIsHeldAgainstTheOpticsOfEach) {
  MemoryTask task;
  v1::CheckPsfSpec& spec = Fill(task, Psf());
  for (const double na : {0.7, 1.4}) {
    spec.add_optics()->set_na(na);
    spec.mutable_optics()->rbegin()->set_emission_um(0.52);
  }
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(result), ElementsAre("too_narrow"));
  for (const v1::Finding& finding : result.check_psf().findings()) {
    if (finding.severity() != v1::WARNING) continue;
    EXPECT_THAT(finding.message(), HasSubstr("(for channel 1)"));
  }
}

TEST(CheckPsfTask, WithoutVoxelSizeOrOpticsItSaysSo) {
  MemoryTask task;
  v1::CheckPsfSpec& spec = Fill(task, Psf(2));
  task.task.mutable_inputs(0)->mutable_spec()->clear_voxel_size();
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult unsized, RunCheckPsf(task.task, task));
  EXPECT_THAT(Defects(unsized), IsEmpty());
  EXPECT_THAT(unsized.check_psf().findings().rbegin()->message(), HasSubstr("its voxel size is not known"));
  spec.clear_optics();
  EXPECT_THAT(DefectsOf(task), IsEmpty());
}

TEST(CheckPsfTask, NotANumberIsAnError) {
  std::vector<float> values = Psf();
  values[7] = std::numeric_limits<float>::quiet_NaN();
  MemoryTask task;
  Fill(task, values);
  EXPECT_EQ(ReasonOf(RunCheckPsf(task.task, task).status()), v1::BAD_PSF);
  ASSERT_OK_AND_ASSIGN(const int64_t bytes, CheckPsfBytes(task.task));
  EXPECT_GT(bytes, kFrame.voxels() * 12);
}

}  // namespace
}  // namespace deconvoy::worker
