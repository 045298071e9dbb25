// What PSFs from optics, from beads and as they were recorded do to real stacks.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "tests/reference/engine.h"
#include "tests/reference/stack_file.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/psf/distill/average.h"
#include "worker/psf/distill/beads.h"
#include "worker/psf/prepare.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::reference {
namespace {

using testing::SharedData;

double Rms(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

std::vector<float> OfSumOne(std::vector<float> values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  for (float& v : values) v = static_cast<float>(static_cast<double>(v) / sum);
  return values;
}

// The image of a specimen around which there is nothing.
absl::StatusOr<std::vector<float>> Blurred(std::vector<float> image, const Shape3& shape, const std::vector<float>& psf,
                                           const Shape3& extent) {
  const auto backend = worker::MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  ASSIGN_OR_RETURN(const auto ops, backend->Open(PaddedShape(shape, extent, v1::EXTEND)));
  ASSIGN_OR_RETURN(const auto otf, ops->MakeOtf(psf, extent, {extent.z / 2, extent.y / 2, extent.x / 2}));
  const Box3 box{{}, shape};
  ASSIGN_OR_RETURN(const auto input, ops->Allocate(box));
  ASSIGN_OR_RETURN(const auto output, ops->Allocate(box));
  RETURN_IF_ERROR(ops->Upload(image, box, *input));
  RETURN_IF_ERROR(ops->Convolve({otf.get(), false, worker::Identity{input.get()}, worker::Store{output.get()}}));
  RETURN_IF_ERROR(ops->Download(*output, box, image));
  return image;
}

// What lies beyond the rows and columns of `shape` comes in at their other end.
std::vector<float> Folded(const std::vector<float>& values, const Shape3& from, const Shape3& shape) {
  std::vector<float> folded(static_cast<size_t>(shape.voxels()));
  const auto fold = [](int64_t i, int64_t wide, int64_t narrow) {
    return ((i - wide / 2 + narrow / 2) % narrow + narrow) % narrow;
  };
  for (int64_t i = 0; i < from.voxels(); ++i) {
    const int64_t y = fold(i / from.x % from.y, from.y, shape.y), x = fold(i % from.x, from.x, shape.x);
    folded[static_cast<size_t>((i / (from.y * from.x) * shape.y + y) * shape.x + x)] += values[static_cast<size_t>(i)];
  }
  return folded;
}

// The given PSF comes from a transform over its 151 x 151 pixels, in which the cone of light of its outer planes, 333
// pixels wide, has come in at the other end. So it is with the one from its optics.
TEST(PsfUse, OpticsExplainTheBarsAsWellAsTheGivenPsf) {
  const std::filesystem::path folder = SharedData() / "dvbars";
  SKIP_WITHOUT(folder / "noisefree.tif");
  ASSERT_OK_AND_ASSIGN(const Shape3 shape, ExtentOf(folder / "truth.tif"));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> truth, ReadChannel(folder / "truth.tif", 0));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> image, ReadChannel(folder / "noisefree.tif", 0));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> given, ReadChannel(folder / "psf.tif", 0));
  worker::Microscope microscope;
  microscope.model = worker::LightModel::kDebye;
  microscope.emission.na = 1.4;
  microscope.emission.wavelength_um = 0.53;
  microscope.emission.ri_immersion = microscope.emission.ri_immersion_design = microscope.emission.ri_sample = 1.518;
  const Shape3 extent{57, 151, 151};
  const worker::PsfGrid grid{.shape = {57, 453, 453}, .z_um = 0.16, .y_um = 0.0645, .x_um = 0.0645};
  const std::vector<float> computed = Folded(worker::MakePsf(microscope, grid, 2), grid.shape, extent);
  std::array<double, 2> unexplained{};
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(std::vector<float> left, Blurred(truth, shape, OfSumOne(i == 0 ? given : computed), extent));
    for (size_t v = 0; v < left.size(); ++v) left[v] -= image[v];
    unexplained[i] = Rms(left) / Rms(image);
  }
  std::cout << "of the image's rms the given PSF leaves " << unexplained[0] << ", that of its optics " << unexplained[1]
            << "\n";
  EXPECT_LT(unexplained[0], 0.01);
  EXPECT_LT(unexplained[1], unexplained[0] + 0.01);
}

Volume ToVolume(const std::vector<float>& values, const Shape3& shape) {
  Volume volume(shape.z, shape.y, shape.x);
  volume.values.assign(values.begin(), values.end());
  return volume;
}

absl::StatusOr<Volume> Deconvolved(const Volume& image, const std::vector<float>& psf, const Shape3& extent,
                                   int iterations, double background) {
  EngineRun run;
  run.y = image;
  run.domain = PaddedShape({image.nz, image.ny, image.nx}, extent, v1::EXTEND);
  run.psf = {ToVolume(OfSumOne(psf), extent), extent.z / 2, extent.y / 2, extent.x / 2};
  run.parameters = {{"iterations", std::to_string(iterations)}};
  run.background = background;
  return RunRl(run);
}

// Sums over z and y.
std::vector<double> Columns(const Volume& volume) {
  std::vector<double> columns(static_cast<size_t>(volume.nx));
  for (size_t i = 0; i < volume.values.size(); ++i) columns[i % columns.size()] += volume.values[i];
  return columns;
}

// The lesser of two peaks around the lowest place between them, and that over it.
struct Split {
  double peak = 0, valley_over_peak = 1;
};

Split SplitBetween(const std::vector<double>& profile, std::ptrdiff_t begin, std::ptrdiff_t end) {
  const auto valley = std::min_element(profile.begin() + begin, profile.begin() + end);
  constexpr std::ptrdiff_t kReach = 12;
  const double left = *std::max_element(valley - kReach, valley), right = *std::max_element(valley, valley + kReach);
  Split split;
  split.peak = std::min(left, right);
  split.valley_over_peak = *valley / split.peak;
  return split;
}

TEST(PsfUse, BeadsSplitTheDoubleLineOfTheGrid) {
  const std::filesystem::path folder = SharedData() / "confocal_beads_grid";
  SKIP_WITHOUT(folder / "beads.tif");
  ASSERT_OK_AND_ASSIGN(const Shape3 shape, ExtentOf(folder / "beads.tif"));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> stack, ReadChannel(folder / "beads.tif", 0));
  const Shape3 box{25, 31, 31};
  worker::FoundBeads found = worker::FindBeads(stack, shape, {.box = box});
  worker::DistilledPsf psf =
      worker::AverageBeads(Patches(stack, shape, box, found), box, worker::BeadMean::kTrimmed, found.beads);
  ASSERT_FALSE(psf.values.empty());
  for (float& v : psf.values) v = std::max(v, 0.0F);
  ASSERT_OK_AND_ASSIGN(const Shape3 extent, ExtentOf(folder / "raw.tif"));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> raw, ReadChannel(folder / "raw.tif", 0));
  const Volume image = ToVolume(raw, extent);
  ASSERT_OK_AND_ASSIGN(const Volume result, Deconvolved(image, psf.values, box, 30, 0));
  const std::vector<double> before = Columns(image), after = Columns(result);
  // The two lines are 12 pixels (0.26 um) apart, at columns 71 and 83.
  const Split raw_split = SplitBetween(before, 73, 81), split = SplitBetween(after, 73, 81);
  std::cout << "valley over peak: " << raw_split.valley_over_peak << " in the image, " << split.valley_over_peak
            << " in the result\n";
  constexpr double kRayleigh = 0.735;  // what two points have that are just resolved
  EXPECT_GT(raw_split.valley_over_peak, 0.85) << "not resolved";
  EXPECT_LT(split.valley_over_peak, 0.8 * kRayleigh);
  EXPECT_GT(split.peak, raw_split.peak);
}

// The light of a bead above a tenth of its peak: its standard deviation along z over that across it, about its
// centroid, which is `centre`.
struct BeadShape {
  double elongation = 0;
  std::array<double, 3> centre{};
};

BeadShape ShapeOfBead(const Volume& volume, double background) {
  const double least = background + 0.1 * (*std::max_element(volume.values.begin(), volume.values.end()) - background);
  double sum = 0;
  std::array<double, 3> first{}, second{};
  for (int64_t i = 0; i < volume.size(); ++i) {
    const double light = volume.values[static_cast<size_t>(i)] - least;
    if (!(light > 0)) continue;
    const std::array<double, 3> place = {static_cast<double>(i / (volume.ny * volume.nx)),
                                         static_cast<double>(i / volume.nx % volume.ny),
                                         static_cast<double>(i % volume.nx)};
    sum += light;
    for (size_t axis = 0; axis < 3; ++axis) {
      first[axis] += light * place[axis];
      second[axis] += light * place[axis] * place[axis];
    }
  }
  BeadShape shape;
  std::array<double, 3> variance{};
  for (size_t axis = 0; axis < 3; ++axis) {
    shape.centre[axis] = first[axis] / sum;
    variance[axis] = second[axis] / sum - shape.centre[axis] * shape.centre[axis];
  }
  shape.elongation = std::sqrt(variance[0] / ((variance[1] + variance[2]) / 2));
  return shape;
}

// Light of a bead's middle, the 3 x 3 x 3 voxels about its centroid, over the brightest such mean anywhere.
double MiddleOverMost(const Volume& volume, const std::array<double, 3>& centre, double background) {
  const auto mean = [&](int64_t z, int64_t y, int64_t x) {
    double sum = 0;
    for (int64_t i = 0; i < 27; ++i) sum += volume.at(z + i / 9 - 1, y + i / 3 % 3 - 1, x + i % 3 - 1) - background;
    return sum / 27;
  };
  double most = 0;
  for (int64_t z = 1; z + 1 < volume.nz; ++z) {
    for (int64_t y = 1; y + 1 < volume.ny; ++y) {
      for (int64_t x = 1; x + 1 < volume.nx; ++x) most = std::max(most, mean(z, y, x));
    }
  }
  const auto whole = [&](size_t axis) { return static_cast<int64_t>(std::lround(centre[axis])); };
  return mean(whole(0), whole(1), whole(2)) / most;
}

// Of the same collection as flowdec_bars, and made smaller by 4 like those: voxels of 0.64 x 0.258 um. The image itself
// is darker in the bead's middle, which many iterations make more of: after 30 it has a hole.
TEST(PsfUse, ABeadBecomesRounderAndGetsNoHole) {
  const std::filesystem::path folder = SharedData() / "flowdec_bead";
  SKIP_WITHOUT(folder / "raw.tif");
  constexpr double kVoxelRatio = 0.64 / 0.258;
  ASSERT_OK_AND_ASSIGN(const Shape3 shape, ExtentOf(folder / "raw.tif"));
  ASSERT_OK_AND_ASSIGN(const Shape3 extent, ExtentOf(folder / "psf.tif"));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> raw, ReadChannel(folder / "raw.tif", 0));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> psf, ReadChannel(folder / "psf.tif", 0));
  const Volume image = ToVolume(raw, shape);
  constexpr double kBackground = 204;
  const BeadShape before = ShapeOfBead(image, kBackground);
  const double raw_middle = MiddleOverMost(image, before.centre, kBackground);
  for (const int iterations : {10, 15, 30}) {
    ASSERT_OK_AND_ASSIGN(const Volume result, Deconvolved(image, psf, extent, iterations, kBackground));
    const BeadShape after = ShapeOfBead(result, 0);
    const double middle = MiddleOverMost(result, after.centre, 0);
    std::cout << iterations << " iterations: along over across " << kVoxelRatio * before.elongation << ", then "
              << kVoxelRatio * after.elongation << "; middle over the brightest part " << raw_middle << ", then "
              << middle << "\n";
    EXPECT_LT(std::abs(std::log(kVoxelRatio * after.elongation)), std::abs(std::log(kVoxelRatio * before.elongation)));
    if (iterations <= 15) {
      EXPECT_GT(middle, 0.9 * raw_middle);
    }
  }
}

struct RecordedBead {
  const char* name;
  double z_um, yx_um;
  Voxel shift;                     // of its light from the middle of the file
  std::array<double, 3> width_um;  // at half maximum
};

constexpr RecordedBead kRecordedBeads[] = {
    {"lls_488_bead", 0.1, 0.1019, {0, 7, 0}, {0.694, 0.322, 0.316}},
    {"lls_560_bead", 0.1, 0.1019, {-1, 0, 1}, {0.786, 0.336, 0.340}},
    {"airNA085_bead", 0.3, 0.13, {0, 0, 3}, {1.386, 0.422, 0.409}},
    {"bil113_bead", 0.3, 0.0873, {-1, -2, -3}, {1.200, 0.312, 0.341}},
    {"widefield_560_bead", 0.1, 0.1019, {0, 0, 0}, {1.085, 0.338, 0.348}},
};

bool HasDefect(const worker::PsfAnalysis& found, const std::string& name) {
  return std::any_of(found.findings.begin(), found.findings.end(), [&name](const v1::Finding& finding) {
    const auto defect = finding.info().metadata().find("defect");
    return defect != finding.info().metadata().end() && defect->second == name;
  });
}

TEST(PsfUse, RecordedBeadsAreReadyWithoutHandWork) {
  const std::filesystem::path folder = SharedData() / "measured_beads";
  SKIP_WITHOUT(folder);
  for (const RecordedBead& bead : kRecordedBeads) {
    const std::filesystem::path file = folder / (std::string(bead.name) + ".tif");
    ASSERT_OK_AND_ASSIGN(Shape3 shape, ExtentOf(file));
    ASSERT_OK_AND_ASSIGN(std::vector<float> values, ReadChannel(file, 0));
    worker::PsfOptions options;
    options.image = {200, 512, 512};
    ASSERT_OK_AND_ASSIGN(const worker::PsfAnalysis as_recorded, worker::AnalysePsf(values, shape, 0, options));
    EXPECT_TRUE(HasDefect(as_recorded, "background")) << bead.name;
    options.background = worker::PsfBackground::kAuto;
    ASSERT_OK_AND_ASSIGN(const worker::PsfAnalysis found, worker::AnalysePsf(values, shape, 0, options));
    for (const v1::Finding& finding : found.findings) {
      EXPECT_NE(finding.severity(), v1::WARNING) << bead.name << ": " << finding.message();
    }
    const v1::PsfReport& report = found.report;
    EXPECT_EQ(ToVoxel(report.shift()), bead.shift) << bead.name;
    const std::array<double, 3> widths_um = {report.fwhm_z() * bead.z_um, report.fwhm_y() * bead.yx_um,
                                             report.fwhm_x() * bead.yx_um};
    for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(widths_um[axis], bead.width_um[axis], 0.001) << bead.name;
    worker::KeepUsed(shape, report, values);
    EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 1, 1e-4) << bead.name;
    EXPECT_GE(*std::min_element(values.begin(), values.end()), 0) << bead.name;
  }
}

}  // namespace
}  // namespace deconvoy::reference
