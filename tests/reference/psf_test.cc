// PSFs from optics and from beads against those that came with real stacks, which other software made from the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "proto/contract/volume_layout.h"
#include "tests/reference/stack_file.h"
#include "tests/support/test_support.h"
#include "worker/psf/distill/average.h"
#include "worker/psf/distill/beads.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {
namespace {

double Correlation(const std::vector<float>& a, const std::vector<float>& b) {
  double mean_a = 0, mean_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    mean_a += static_cast<double>(a[i]);
    mean_b += static_cast<double>(b[i]);
  }
  mean_a /= static_cast<double>(a.size());
  mean_b /= static_cast<double>(b.size());
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = static_cast<double>(a[i]) - mean_a, db = static_cast<double>(b[i]) - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return ab / std::sqrt(aa * bb);
}

Microscope Oil(double na, double index, double wavelength_um) {
  Microscope microscope;
  microscope.emission.na = na;
  microscope.emission.wavelength_um = wavelength_um;
  microscope.emission.ri_immersion = microscope.emission.ri_immersion_design = microscope.emission.ri_sample = index;
  return microscope;
}

TEST(PsfTheoryTest, AgreesWithTheNucleusStacksPsf) {
  const std::filesystem::path file = testing::SharedData() / "deconwolf_dapi" / "psf.tif";
  SKIP_WITHOUT(file);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> given, reference::ReadChannel(file, 0));
  const PsfGrid grid{.shape = {79, 101, 101}, .z_um = 0.3, .y_um = 0.13, .x_um = 0.13};
  EXPECT_GT(Correlation(MakePsf(Oil(1.45, 1.512, 0.461), grid, 2), given), 0.9995);
}

TEST(PsfTheoryTest, AgreesWithTheDividingCellsPsfs) {
  const std::filesystem::path file = testing::SharedData() / "dividing_cell" / "psf.tif";
  SKIP_WITHOUT(file);
  const PsfGrid grid{.shape = {49, 101, 101}, .z_um = 0.2, .y_um = 0.066813, .x_um = 0.066813};
  constexpr double kEmission[] = {0.676, 0.435, 0.594};
  for (int64_t c = 0; c < 3; ++c) {
    ASSERT_OK_AND_ASSIGN(const std::vector<float> given, reference::ReadChannel(file, c));
    EXPECT_GT(Correlation(MakePsf(Oil(1.25, 1.515, kEmission[c]), grid, 2), given), 0.9995) << c;
  }
}

// The largest correlation of `psf` with the part of `given` around a voxel near its middle.
double BestCorrelation(const std::vector<float>& psf, const Shape3& box, const std::vector<float>& given,
                       const Shape3& shape) {
  constexpr int64_t kReach = 6;
  double best = 0;
  for (int64_t i = 0; i < 13 * 13 * 13; ++i) {
    const Voxel first = Voxel{shape.z / 2, shape.y / 2, shape.x / 2} - Voxel{box.z / 2, box.y / 2, box.x / 2} +
                        Voxel{i / 169 - kReach, i / 13 % 13 - kReach, i % 13 - kReach};
    std::vector<float> part;
    for (int64_t z = 0; z < box.z; ++z) {
      for (int64_t y = 0; y < box.y; ++y) {
        for (int64_t x = 0; x < box.x; ++x) {
          const Voxel at{first.z + z, first.y + y, first.x + x};
          const bool inside = Box3{{}, shape}.Contains({at, {1, 1, 1}});
          part.push_back(inside ? given[static_cast<size_t>((at.z * shape.y + at.y) * shape.x + at.x)] : 0);
        }
      }
    }
    best = std::max(best, Correlation(psf, part));
  }
  return best;
}

TEST(DistillTest, AgreesWithAnotherProgramsPsfOfTheSameBeads) {
  const std::filesystem::path folder = testing::SharedData() / "confocal_beads_grid";
  SKIP_WITHOUT(folder / "beads.tif");
  ASSERT_OK_AND_ASSIGN(const std::vector<float> stack, reference::ReadChannel(folder / "beads.tif", 0));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> given, reference::ReadChannel(folder / "psf.tif", 0));
  const Shape3 shape{41, 150, 150}, box{25, 31, 31};
  FoundBeads found = FindBeads(stack, shape, {.box = box});
  EXPECT_EQ(found.beads.size(), 4U);
  const DistilledPsf psf =
      AverageBeads(reference::Patches(stack, shape, box, found), box, BeadMean::kTrimmed, found.beads);
  ASSERT_FALSE(psf.values.empty());
  EXPECT_GT(BestCorrelation(psf.values, box, given, {45, 45, 45}), 0.95);
}

}  // namespace
}  // namespace deconvoy::worker
