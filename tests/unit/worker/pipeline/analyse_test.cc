#include "worker/pipeline/analyse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/imaging/planted.h"
#include "tests/unit/worker/pipeline/analysis.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {
namespace {

using testing::AsBytes;
using ::testing::HasSubstr;
using testing::MemoryTask;
using testing::Messages;
using ::testing::Not;

constexpr Shape5 kShape{2, 2, 3, 16, 16};

std::vector<uint16_t> Frames() {
  std::vector<uint16_t> raw;
  for (int64_t frame = 0; frame < 4; ++frame) {
    for (int64_t i = 0; i < 3 * 256; ++i) {
      raw.push_back(static_cast<uint16_t>(110 + 10 * frame + (i == 300 ? 50 : 0)));
    }
  }
  return raw;
}

std::vector<float> Psfs() {
  std::vector<float> psf(2 * 27, 1);
  psf[13] = 10;
  psf[27 + 14] = 20;
  return psf;
}

void Fill(MemoryTask& task) {
  task.AddInput("volumes/in", kShape, v1::U16, AsBytes(Frames()));
  task.AddInput("volumes/psf", {1, 2, 3, 3, 3}, Psfs());
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_offset_counts(100);
  spec.set_gain_photons_per_count(2);
  spec.set_background_auto(true);
}

TEST(Analyse, MeasuresEveryFrameInPhotons) {
  MemoryTask task;
  Fill(task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  ASSERT_EQ(result.analyse().frames_size(), 4);
  for (int i = 0; i < 4; ++i) {
    const v1::FrameStatistics& frame = result.analyse().frames(i);
    EXPECT_EQ(frame.t(), static_cast<uint32_t>(i / 2));
    EXPECT_EQ(frame.c(), static_cast<uint32_t>(i % 2));
    EXPECT_EQ(frame.minimum(), 20 + 20 * i);
    EXPECT_EQ(frame.maximum(), 120 + 20 * i);
    EXPECT_NEAR(frame.mean(), 20 + 20 * i + 100.0 / 768, 1e-9);
    EXPECT_NEAR(frame.background(), 20 + 20 * i, 0.1);
    EXPECT_NEAR(frame.variance(), 1e4 * (1.0 / 768) * (767.0 / 768), 1e-6);
  }
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{12, 12}));
  EXPECT_EQ(Messages(result.analyse(), v1::WARNING), "");
}

TEST(Analyse, ReportsThePsfOfEachChannel) {
  MemoryTask task;
  Fill(task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  ASSERT_EQ(result.analyse().psfs_size(), 2);
  EXPECT_EQ(result.analyse().psfs(1).c(), 1U);
  EXPECT_EQ(result.analyse().psfs(0).sum(), 36);
  EXPECT_EQ(result.analyse().psfs(1).sum(), 46);
  EXPECT_EQ(result.analyse().psfs(1).rule(), v1::GEOMETRIC);
  EXPECT_THAT(Messages(result.analyse(), v1::INFO),
              HasSubstr("PSF of channel 1: 3x3x3 of its 3x3x3 voxels (z,y,x) are used"));
}

void SetVoxels(v1::VoxelSize& size, double z, double yx) {
  size.set_z_um(z);
  size.set_y_um(yx);
  size.set_x_um(yx);
}

TEST(Analyse, TellsThePsfAtTheImagesVoxels) {
  MemoryTask task;
  Fill(task);
  SetVoxels(*task.task.mutable_inputs(0)->mutable_spec()->mutable_voxel_size(), 0.2, 0.05);
  SetVoxels(*task.task.mutable_inputs(1)->mutable_spec()->mutable_voxel_size(), 0.2, 0.1);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  const v1::PsfReport& report = result.analyse().psfs(0);
  EXPECT_EQ(report.step_z(), 1);
  EXPECT_EQ(report.step_x(), 0.5);
  EXPECT_EQ(report.crop_shape().x(), 5);
  EXPECT_THAT(Messages(result.analyse(), v1::WARNING),
              HasSubstr("its voxels of 0.2 x 0.1 x 0.1 um (z,y,x) become the image's of 0.2 x 0.05 x 0.05 um"));
  SetVoxels(*task.task.mutable_inputs(1)->mutable_spec()->mutable_voxel_size(), 0.2, 0.3);
  EXPECT_EQ(ReasonOf(RunAnalyse(task.task, /*threads=*/2, task).status()), v1::VOXEL_SIZE_MISMATCH);
}

TEST(Analyse, TakesThePsfsBackgroundOff) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_psf_background_auto(true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_EQ(result.analyse().psfs(0).background(), 1);
  EXPECT_EQ(result.analyse().psfs(0).sum(), 9);
  EXPECT_THAT(Messages(result.analyse(), v1::INFO), HasSubstr("PSF of channel 1: a background of 1 was taken off"));
}

TEST(Analyse, AGivenBackgroundIsInCountsAndWarnedOfWhenTooHigh) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_background_counts(15);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_EQ(result.analyse().frames(3).background(), 30);
  EXPECT_THAT(Messages(result.analyse(), v1::WARNING),
              HasSubstr("frame t=0 c=0: the background of 15 counts is above"));
}

TEST(Analyse, WarnsOfAnOffsetAboveTheImage) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_offset_counts(125);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_THAT(Messages(result.analyse(), v1::WARNING), HasSubstr("frame t=0 c=0: 99.9 % of the voxels lie below"));
}

void ExpectNoLight(MemoryTask& task, const std::string& field, const std::string& words) {
  const absl::Status status = RunAnalyse(task.task, /*threads=*/2, task).status();
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(InfoOf(status).field(), field);
  EXPECT_NE(InfoOf(status).remedy(), "");
  EXPECT_THAT(std::string(status.message()), HasSubstr(words));
}

// Twelve bits hold 4095 counts, of which the offset is a part.
TEST(Analyse, WarnsOfVoxelsThatLookSaturated) {
  std::vector<uint16_t> raw = Frames();
  for (size_t i = 100; i < 112; ++i) raw[i] = 4095;
  const auto warnings = [&](const std::vector<uint16_t>& image, double saturation) {
    MemoryTask task;
    task.AddInput("volumes/in", kShape, v1::U16, AsBytes(image));
    task.AddInput("volumes/psf", {1, 2, 3, 3, 3}, Psfs());
    v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
    spec.set_input_volume("volumes/in");
    spec.set_psf_volume("volumes/psf");
    spec.set_boundary(v1::EXTEND);
    spec.set_offset_counts(100);
    spec.set_saturation_counts(saturation);
    const auto result = RunAnalyse(task.task, /*threads=*/2, task);
    EXPECT_OK(result.status());
    return result.ok() ? Messages(result->analyse(), v1::WARNING) : "";
  };
  EXPECT_THAT(warnings(raw, 0), HasSubstr("frame t=0 c=0: 12 voxels have 4095 counts, the most that 12 bits hold"));
  EXPECT_THAT(warnings(raw, 5000), HasSubstr("12 voxels have 4095 counts")) << "a limit above the camera's";
  EXPECT_THAT(warnings(raw, 4095), Not(HasSubstr("saturated")));
  for (size_t i = 100; i < 112; ++i) raw[i] = 4094;
  EXPECT_THAT(warnings(raw, 0), Not(HasSubstr("saturated")));
  for (size_t i = 100; i < 109; ++i) raw[i] = 4095;
  EXPECT_THAT(warnings(raw, 0), Not(HasSubstr("saturated"))) << "a few may just be bright";
}

// The largest voxel of all frames has 190 counts.
TEST(Analyse, RefusesAnOffsetThatLeavesNoLight) {
  MemoryTask task;
  Fill(task);
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_offset_counts(190);
  ExpectNoLight(task, "deconvolve.offset_counts",
                "no voxel is above the offset of 190 counts, the largest has 190 counts");
  spec.set_offset_counts(189);
  EXPECT_OK(RunAnalyse(task.task, /*threads=*/2, task));
}

TEST(Analyse, RefusesABackgroundThatLeavesNoLight) {
  MemoryTask task;
  Fill(task);
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_background_counts(90);
  ExpectNoLight(task, "deconvolve.background_counts",
                "no voxel is above the offset of 100 counts and the background of 90 counts, the largest has 190");
  spec.set_background_counts(89);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_THAT(
      Messages(result.analyse(), v1::WARNING),
      HasSubstr("frame t=0 c=1: no voxel is above the offset of 100 counts and the background of 89 counts, the "
                "largest has 170 counts; its result is dark"));
}

// Blank frames alone are no mistake; beside a dark one they do not count as light.
TEST(Analyse, ABlankVolumeIsFineUnderAnyOffset) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_offset_counts(500);
  std::vector<uint16_t> raw(4 * 768, 0);
  task.AddInput("volumes/in", kShape, v1::U16, AsBytes(raw));
  EXPECT_OK(RunAnalyse(task.task, /*threads=*/2, task));
  raw[5] = 1;
  task.AddInput("volumes/in", kShape, v1::U16, AsBytes(raw));
  ExpectNoLight(task, "deconvolve.offset_counts", "the offset of 500 counts, the largest has 1 counts");
}

TEST(Analyse, WarnsOfABlankFrame) {
  MemoryTask task;
  Fill(task);
  std::vector<uint16_t> raw = Frames();
  std::fill(raw.begin() + 768, raw.begin() + 2 * 768, uint16_t{100});
  task.AddInput("volumes/in", kShape, v1::U16, AsBytes(raw));
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_THAT(Messages(result.analyse(), v1::WARNING), HasSubstr("frame t=0 c=1: every voxel has the same value"));
}

TEST(Analyse, NaNIsSaidWithCountAndPlace) {
  MemoryTask task;
  Fill(task);
  const std::vector<uint16_t> raw = Frames();
  std::vector<float> values(raw.begin(), raw.end());
  values[3 * 768 + 256 + 2 * 16 + 5] = NAN;
  values[3 * 768 + 600] = INFINITY;
  task.task.clear_inputs();
  task.AddInput("volumes/in", kShape, values);
  task.AddInput("volumes/psf", {1, 2, 3, 3, 3}, Psfs());
  const absl::Status status = RunAnalyse(task.task, /*threads=*/2, task).status();
  EXPECT_EQ(ReasonOf(status), v1::NOT_FINITE_INPUT);
  EXPECT_THAT(std::string(status.message()), HasSubstr("NaN or infinite voxels: 2, the first at"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("t=1 c=1 z=1 y=2 x=5"));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
}

TEST(Analyse, ABadPsfIsAnError) {
  MemoryTask task;
  Fill(task);
  task.AddInput("volumes/psf", {1, 2, 3, 3, 3}, std::vector<float>(54, 0));
  EXPECT_EQ(ReasonOf(RunAnalyse(task.task, /*threads=*/2, task).status()), v1::BAD_PSF);
}

TEST(Analyse, StopsWhenToldSo) {
  MemoryTask task;
  Fill(task);
  task.fail_at = 4;
  EXPECT_TRUE(absl::IsCancelled(RunAnalyse(task.task, /*threads=*/2, task).status()));
}

TEST(Analyse, NamesAVolumeThatIsNotAmongItsInputs) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_analyse()->mutable_spec()->set_psf_volume("volumes/other");
  const absl::Status status = RunAnalyse(task.task, /*threads=*/2, task).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("volumes/other"));
}

// --- What the method says of its parameters and the PSF ---

// Light spreads as fast as it goes out of focus: every plane has as much.
std::vector<float> WideField(const Shape3& shape) {
  std::vector<float> psf;
  for (int64_t z = 0; z < shape.z; ++z) {
    const double sigma = 0.8 + 0.5 * static_cast<double>(std::abs(z - shape.z / 2));
    std::vector<double> plane;
    double sum = 0;
    for (int64_t y = 0; y < shape.y; ++y)
      for (int64_t x = 0; x < shape.x; ++x) {
        const auto r2 =
            static_cast<double>((y - shape.y / 2) * (y - shape.y / 2) + (x - shape.x / 2) * (x - shape.x / 2));
        plane.push_back(std::exp(-r2 / (2 * sigma * sigma)));
        sum += plane.back();
      }
    for (const double v : plane) psf.push_back(static_cast<float>(v / sum));
  }
  return psf;
}

absl::StatusOr<v1::TaskResult> AnalyseWith(const std::map<std::string, std::string>& parameters) {
  MemoryTask task;
  const Shape3 shape{17, 33, 33};
  std::vector<float> image(static_cast<size_t>(Shape3{20, 40, 40}.voxels()), 10);
  image[7] = 90;
  task.AddInput("volumes/in", {1, 1, 20, 40, 40}, image);
  task.AddInput("volumes/psf", {1, 1, shape.z, shape.y, shape.x}, WideField(shape));
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method("rl");
  spec.mutable_parameters()->insert(parameters.begin(), parameters.end());
  return RunAnalyse(task.task, /*threads=*/2, task);
}

TEST(Analyse, WarnsOfAMissingConeWhereItMatters) {
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult other, AnalyseWith({{"back_projector", "wiener-butterworth"}}));
  EXPECT_THAT(Messages(other.analyse(), v1::WARNING), HasSubstr("PSF of channel 0: the OTF has a missing cone"));
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult matched, AnalyseWith({}));
  EXPECT_EQ(Messages(matched.analyse(), v1::WARNING), "");
}

// Of this process, in bytes: `VmRSS`, or `VmHWM` for the most there ever was.
int64_t Resident(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ':')) return std::stoll(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}

// The centre in a corner: a box that is symmetric about it has nearly eight times the voxels.
TEST(Analyse, NeedsTheMemoryThatItDescribes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: a sanitizer's own memory would be counted";
#endif
  const Shape3 shape{100, 200, 200};
  std::vector<float> psf(static_cast<size_t>(shape.voxels()), 1);
  psf[0] = 1000;
  MemoryTask task;
  std::vector<uint8_t> image(static_cast<size_t>(shape.voxels()), 10);
  image[7] = 90;
  task.AddInput("volumes/in", {1, 1, shape.z, shape.y, shape.x}, v1::U8, AsBytes(image));
  task.AddInput("volumes/psf", {1, 1, shape.z, shape.y, shape.x}, psf);
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method("rl");
  spec.set_psf_centre(v1::PEAK);
  spec.set_psf_energy(1);
  if (!(std::ofstream("/proc/self/clear_refs") << '5' << std::flush)) {
    GTEST_SKIP() << "SKIPPED: this system does not forget the most memory there was";
  }
  const int64_t before = Resident("VmRSS");
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
  EXPECT_EQ(ToShape3(result.analyse().psfs(0).crop_shape()), (Shape3{199, 399, 399}));
  const int64_t peak = Resident("VmHWM") - before;
  EXPECT_LE(peak, AnalysisBytes(task.task).value() + (1 << 20));
  EXPECT_GE(peak, 4 * shape.voxels());
}

// Voxels of one plane of 128 x 128 that vary about `mean` by `deviation`.
std::vector<uint16_t> Dark(double mean, double deviation) {
  std::vector<uint16_t> voxels(128 * 128);
  std::mt19937 random(7);
  std::normal_distribution<double> normal(mean, deviation);
  for (uint16_t& v : voxels) v = static_cast<uint16_t>(std::lround(std::max(normal(random), 0.0)));
  for (size_t i = 0; i < 40; ++i) voxels[64 * 128 + i] = 900;
  return voxels;
}

std::string WarningsOfDark(double mean, double deviation, const std::function<void(v1::DeconvolveSpec&)>& change = {}) {
  MemoryTask task;
  task.AddInput("volumes/in", {1, 1, 1, 128, 128}, v1::U16, AsBytes(Dark(mean, deviation)));
  task.AddInput("volumes/psf", {1, 1, 1, 3, 3}, {0, 0.1F, 0, 0.1F, 1, 0.1F, 0, 0.1F, 0});
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  if (change) change(spec);
  const absl::StatusOr<v1::TaskResult> result = RunAnalyse(task.task, /*threads=*/2, task);
  EXPECT_OK(result.status());
  return result.ok() ? Messages(result->analyse(), v1::WARNING) : "";
}

TEST(Analyse, AsksForAnOffsetThatWasForgotten) {
  // A camera of read noise 3 counts, and hardly light.
  EXPECT_THAT(WarningsOfDark(100, 4), HasSubstr("most of it looks like a camera's offset"));
  EXPECT_THAT(WarningsOfDark(100, 10), "") << "photons";
  EXPECT_THAT(WarningsOfDark(100, 15), "") << "half a photon per count";
  EXPECT_THAT(WarningsOfDark(10, 1), "") << "too few counts for an offset";
  EXPECT_THAT(WarningsOfDark(100, 4, [](auto& spec) { spec.set_offset_counts(0); }), "") << "a given 0 is known";
  EXPECT_THAT(WarningsOfDark(100, 4, [](auto& spec) { spec.set_gain_photons_per_count(6); }), "")
      << "with a gain of 6 photons vary so little";
}

TEST(Analyse, AsksWhetherImageAndPsfAreSwapped) {
  const auto bead = [](int64_t extent, double y, double x, std::vector<float>& values) {
    for (int64_t v = 0; v < extent; ++v) {
      for (int64_t u = 0; u < extent; ++u) {
        const double r2 = std::pow(static_cast<double>(v) - y, 2) + std::pow(static_cast<double>(u) - x, 2);
        values[static_cast<size_t>(v * extent + u)] += static_cast<float>(1000 * std::exp(-r2 / 8));
      }
    }
  };
  std::vector<float> point(256 * 256, 1), specimen(64 * 64, 1);
  bead(256, 128, 128, point);
  for (const auto& [y, x] : {std::pair(20, 20), std::pair(44, 30), std::pair(30, 50)}) bead(64, y, x, specimen);
  const auto warnings = [](const std::vector<float>& image, int64_t m, const std::vector<float>& psf, int64_t p) {
    MemoryTask task;
    task.AddInput("volumes/in", {1, 1, 1, m, m}, image);
    task.AddInput("volumes/psf", {1, 1, 1, p, p}, psf);
    v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
    spec.set_input_volume("volumes/in");
    spec.set_psf_volume("volumes/psf");
    const absl::StatusOr<v1::TaskResult> result = RunAnalyse(task.task, /*threads=*/2, task);
    EXPECT_OK(result.status());
    return result.ok() ? Messages(result->analyse(), v1::WARNING) : "";
  };
  EXPECT_THAT(warnings(point, 256, specimen, 64), HasSubstr("are the two swapped?"));
  EXPECT_THAT(warnings(specimen, 64, point, 256), ::testing::Not(HasSubstr("swapped")));
}

TEST(Analyse, HoldsThePsfAgainstItsOptics) {
  const auto warnings = [](double na, int optics, int64_t channels) {
    MemoryTask task;
    Fill(task);
    v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
    Microscope microscope;
    microscope.emission.na = 1.4;
    microscope.emission.wavelength_um = 0.52;
    std::vector<float> values =
        MakePsf(microscope, {.shape = {31, 41, 41}, .z_um = 0.2, .y_um = 0.065, .x_um = 0.065}, 1);
    if (channels == 2) values.insert(values.end(), values.begin(), values.begin() + 31 * 41 * 41);
    task.AddInput("volumes/light", {1, channels, 31, 41, 41}, values);
    for (v1::VolumeAccess& input : *task.task.mutable_inputs()) {
      input.mutable_spec()->mutable_voxel_size()->set_z_um(0.2);
      input.mutable_spec()->mutable_voxel_size()->set_y_um(0.065);
      input.mutable_spec()->mutable_voxel_size()->set_x_um(0.065);
    }
    spec.set_psf_volume("volumes/light");
    for (int c = 0; c < optics; ++c) {
      spec.add_optics()->set_na(c == 1 ? na : 1.4);
      spec.mutable_optics(c)->set_emission_um(0.52);
    }
    const absl::StatusOr<v1::TaskResult> result = RunAnalyse(task.task, /*threads=*/2, task);
    EXPECT_OK(result.status());
    std::string defects;
    for (const v1::Finding& finding : result->analyse().findings()) {
      const auto defect = finding.info().metadata().find("defect");
      if (defect != finding.info().metadata().end()) defects += defect->second + ": " + finding.message() + "\n";
    }
    return defects;
  };
  EXPECT_EQ(warnings(1.4, 0, 1), "");
  EXPECT_EQ(warnings(1.4, 1, 1), "");
  EXPECT_EQ(warnings(1.4, 2, 2), "");
  EXPECT_THAT(warnings(0.7, 2, 2), ::testing::StartsWith("too_narrow: PSF of channel 1"));
  EXPECT_THAT(warnings(0.7, 2, 1), HasSubstr("(for channel 1)"));
}

TEST(Analyse, RefusesParametersThatDoNotGoTogether) {
  const auto result = AnalyseWith({{"matched_steps", "2"}});
  EXPECT_EQ(ReasonOf(result.status()), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(result.status()).field(), "deconvolve.parameters[\"matched_steps\"]");
}

TEST(Analyse, WarnsWhereCountsAreNotPhotonsAndThatMatters) {
  for (const char* method : {"rl", "rl-gc"}) {
    MemoryTask task;
    Fill(task);
    v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
    spec.set_method(method);
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunAnalyse(task.task, /*threads=*/2, task));
    // Means of 20, 40, 60 and 80 photons with a variance of 13.
    const bool warns = Messages(result.analyse(), v1::WARNING).find("are not counted ones") != std::string::npos;
    EXPECT_EQ(warns, std::string(method) == "rl-gc");
    // Hardly a photon in the first frame, but for one bright voxel.
    spec.set_offset_counts(109.9);
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult varied, RunAnalyse(task.task, /*threads=*/2, task));
    EXPECT_THAT(Messages(varied.analyse(), v1::WARNING), ::testing::Not(HasSubstr("t=0 c=0: the variance")));
  }
}

TEST(Analyse, RefusesAStepThatIsTooLongForAnyPsf) {
  const struct {
    const char* method;
    std::map<std::string, std::string> parameters;
    const char* bound;
  } cases[] = {{"landweber", {{"step", "2"}}, "below 2 "},
               {"landweber-positive", {{"step", "1.1"}, {"acceleration", "nesterov"}}, "at most 1 "},
               {"stark-parker", {{"step", "2"}}, "below 2 "},
               {"ictm", {{"step", "2"}}, "below 2 "},
               {"tikhonov-miller", {{"step", "2"}}, "below 2 "},
               {"ictm", {{"step", "1.1"}, {"acceleration", "nesterov"}, {"lambda", "1e-6"}}, "at most 1 "},
               {"tikhonov-miller", {{"step", "1.1"}, {"acceleration", "nesterov"}, {"lambda", "1e-6"}}, "at most 1 "},
               {"ista", {{"step", "2"}}, "below 2 "},
               {"fista", {{"step", "1.01"}}, "at most 1 "}};
  for (const auto& c : cases) {
    MemoryTask task;
    Fill(task);
    v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
    spec.set_method(c.method);
    spec.mutable_parameters()->insert(c.parameters.begin(), c.parameters.end());
    const absl::Status status = RunAnalyse(task.task, /*threads=*/2, task).status();
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.parameters[\"step\"]") << c.method << " " << status;
    EXPECT_THAT(InfoOf(status).remedy(), HasSubstr(c.bound)) << c.method;
    spec.mutable_parameters()->at("step") = "0.99";
    EXPECT_TRUE(RunAnalyse(task.task, /*threads=*/2, task).ok()) << c.method;
  }
}

}  // namespace
}  // namespace deconvoy::worker
