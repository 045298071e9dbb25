// Faults planted in PSFs of all kinds of microscopes: each is found and named, and the PSFs themselves raise nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/pipeline/check_psf.h"
#include "worker/pipeline/model_psf.h"

namespace deconvoy::worker {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using testing::MemoryTask;

struct Kind {
  const char* name;
  v1::Microscopy microscopy;
  double na, ri_immersion, ri_sample, depth_um;
  double z_um, yx_um;
  Shape3 shape;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

v1::ModelPsfSpec SpecOf(const Kind& kind) {
  v1::ModelPsfSpec spec;
  spec.set_microscopy(kind.microscopy);
  v1::Optics& optics = *spec.mutable_optics();
  optics.set_na(kind.na);
  optics.set_ri_immersion(kind.ri_immersion);
  optics.set_ri_sample(kind.ri_sample);
  optics.set_depth_um(kind.depth_um);
  if (kind.microscopy != v1::TWO_PHOTON) optics.set_emission_um(0.52);
  if (kind.microscopy == v1::TWO_PHOTON) {
    optics.set_excitation_um(0.9);
  } else if (kind.microscopy != v1::WIDEFIELD && kind.microscopy != v1::LIGHT_SHEET) {
    optics.set_excitation_um(0.488);
  }
  if (kind.microscopy == v1::LIGHT_SHEET) optics.set_sheet_fwhm_um(2);
  if (kind.microscopy == v1::STED) {
    optics.set_depletion_um(0.592);
    optics.set_saturation(8);
  }
  return spec;
}

class PlantedFaults : public ::testing::TestWithParam<Kind> {
 protected:
  // On voxels `scale` times as small, so that it looks that much wider.
  std::vector<float> Psf(double scale = 1) const {
    const Kind& kind = GetParam();
    return MakePsf(
        MicroscopeOf(SpecOf(kind)),
        {.shape = kind.shape, .z_um = kind.z_um / scale, .y_um = kind.yx_um / scale, .x_um = kind.yx_um / scale}, 2);
  }

  // Names of what is found. `sizes`: what is said of the voxels over what they are.
  std::vector<std::string> Defects(const std::vector<float>& values, double sizes = 1) const {
    const Kind& kind = GetParam();
    MemoryTask task;
    task.AddInput("volumes/psf", {1, 1, kind.shape.z, kind.shape.y, kind.shape.x}, values);
    v1::VoxelSize& voxel = *task.task.mutable_inputs(0)->mutable_spec()->mutable_voxel_size();
    voxel.set_z_um(sizes * kind.z_um);
    voxel.set_y_um(sizes * kind.yx_um);
    voxel.set_x_um(sizes * kind.yx_um);
    v1::CheckPsfSpec& spec = *task.task.mutable_check_psf()->mutable_spec();
    spec.set_psf_volume("volumes/psf");
    *spec.add_optics() = SpecOf(kind).optics();
    spec.set_microscopy(kind.microscopy);
    std::vector<std::string> names;
    const absl::StatusOr<v1::TaskResult> result = RunCheckPsf(task.task, task);
    EXPECT_OK(result.status());
    if (!result.ok()) return names;
    for (const v1::Finding& finding : result->check_psf().findings()) {
      if (finding.severity() == v1::WARNING) names.push_back(finding.info().metadata().at("defect"));
    }
    return names;
  }

  size_t At(int64_t z, int64_t y, int64_t x) const {
    const Shape3& shape = GetParam().shape;
    return static_cast<size_t>((z * shape.y + y) * shape.x + x);
  }
};

TEST_P(PlantedFaults, ThePsfItselfRaisesNothing) {
  EXPECT_THAT(Defects(Psf()), IsEmpty());
}

TEST_P(PlantedFaults, ABackgroundOfAFewPercentOfThePeak) {
  for (const float share : {0.05F, 0.02F}) {
    std::vector<float> values = Psf();
    const float level = share * *std::max_element(values.begin(), values.end());
    for (float& v : values) v += level;
    EXPECT_THAT(Defects(values), Contains("background")) << share;
  }
}

TEST_P(PlantedFaults, ASecondBead) {
  std::vector<float> values = Psf();
  const std::vector<float> one = values;
  const Shape3& shape = GetParam().shape;
  const int64_t away = shape.x / 3;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = away; x < shape.x; ++x) values[At(z, y, x)] += 0.6F * one[At(z, y, x - away)];
    }
  }
  EXPECT_THAT(Defects(values), Contains("second_peak"));
}

TEST_P(PlantedFaults, ASaturatedBead) {
  std::vector<float> values = Psf();
  const float most = *std::max_element(values.begin(), values.end());
  for (float& v : values) v = std::round(255 * std::min(2 * v / most, 1.0F));
  EXPECT_THAT(Defects(values), Contains("saturation"));
}

TEST_P(PlantedFaults, TwiceAsBroad) {
  EXPECT_THAT(Defects(Psf(2)), Contains("too_broad"));
}

TEST_P(PlantedFaults, AWrongVoxelSize) {
  EXPECT_THAT(Defects(Psf(), 0.5), Contains("too_narrow"));
  EXPECT_THAT(Defects(Psf(), 2), Contains("too_broad"));
}

TEST_P(PlantedFaults, CutOff) {
  const Shape3& shape = GetParam().shape;
  const std::vector<float> whole = Psf();
  std::vector<float> sideways(whole.size()), along_z(whole.size());
  const int64_t x0 = shape.x / 2 - 1, z0 = shape.z / 2 - 1;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        if (x + x0 < shape.x) sideways[At(z, y, x)] = whole[At(z, y, x + x0)];
        if (z + z0 < shape.z) along_z[At(z, y, x)] = whole[At(z + z0, y, x)];
      }
    }
  }
  EXPECT_THAT(Defects(sideways), Contains("cut_sideways"));
  EXPECT_THAT(Defects(along_z), Contains("cut_along_z"));
}

INSTANTIATE_TEST_SUITE_P(
    Microscopes, PlantedFaults,
    ::testing::Values(Kind{"widefield_oil", v1::WIDEFIELD, 1.4, 1.515, 1.515, 0, 0.2, 0.065, {41, 61, 61}},
                      Kind{"widefield_air", v1::WIDEFIELD, 0.7, 1, 1, 0, 0.6, 0.16, {25, 49, 49}},
                      Kind{"widefield_deep", v1::WIDEFIELD, 1.3, 1.515, 1.38, 3, 0.2, 0.065, {41, 61, 61}},
                      Kind{"confocal", v1::CONFOCAL, 1.4, 1.515, 1.515, 0, 0.15, 0.05, {33, 41, 41}},
                      Kind{"spinning_disk", v1::SPINNING_DISK, 1.2, 1.333, 1.333, 0, 0.2, 0.08, {33, 41, 41}},
                      Kind{"light_sheet", v1::LIGHT_SHEET, 0.8, 1.333, 1.333, 0, 0.4, 0.15, {25, 41, 41}},
                      Kind{"two_photon", v1::TWO_PHOTON, 1.05, 1.333, 1.333, 0, 0.25, 0.08, {33, 41, 41}},
                      Kind{"sted", v1::STED, 1.4, 1.515, 1.515, 0, 0.15, 0.02, {25, 41, 41}}),
    [](const ::testing::TestParamInfo<Kind>& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace deconvoy::worker
