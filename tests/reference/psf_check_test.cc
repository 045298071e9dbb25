// What the check against optics says of PSFs that came with real stacks: nothing of clean ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "worker/imaging/counts.h"
#include "worker/psf/optics_check.h"

namespace deconvoy::worker {
namespace {

struct Stack {
  Shape3 shape;
  std::vector<float> values;
};

absl::StatusOr<Stack> ReadChannel(const std::filesystem::path& path, int64_t c) {
  ASSIGN_OR_RETURN(const auto reader, imageio::OpenImage(path));
  const v1::Shape5& shape = reader->spec().shape();
  Stack stack{.shape = {shape.z(), shape.y(), shape.x()}, .values = {}};
  const auto plane = static_cast<size_t>(shape.y()) * shape.x();
  stack.values.resize(plane * shape.z());
  std::vector<std::byte> raw(plane * static_cast<size_t>(BytesPerVoxel(reader->spec().type())));
  for (int64_t z = 0; z < stack.shape.z; ++z) {
    RETURN_IF_ERROR(reader->ReadPlane(0, c, z, raw));
    ToFloat(raw, reader->spec().type(), std::span(stack.values).subspan(static_cast<size_t>(z) * plane, plane));
  }
  return stack;
}

Microscope Objective(double na, double index, double wavelength_um) {
  Microscope microscope;
  microscope.emission.na = na;
  microscope.emission.wavelength_um = wavelength_um;
  microscope.emission.ri_immersion = microscope.emission.ri_immersion_design = microscope.emission.ri_sample = index;
  return microscope;
}

// Names of the defects; the widths are logged.
std::vector<std::string> Defects(const std::filesystem::path& file, int64_t c, const std::array<double, 3>& voxel_um,
                                 const Microscope& microscope) {
  const absl::StatusOr<Stack> stack = ReadChannel(file, c);
  EXPECT_OK(stack.status());
  if (!stack.ok()) return {};
  const OpticsComparison found = CompareWithOptics(stack->values, stack->shape, voxel_um, microscope);
  std::cout << file << " " << c << ": " << WidthsText(found.measured_um) << ", by the optics "
            << WidthsText(found.expected_um) << "\n";
  std::vector<std::string> names;
  for (const PsfDefect& defect : found.defects) names.push_back(defect.name);
  return names;
}

TEST(RealPsf, OfKnownOpticsIsClean) {
  const std::filesystem::path data = testing::SharedData();
  SKIP_WITHOUT(data / "dvbars" / "psf.tif");
  EXPECT_THAT(Defects(data / "dvbars" / "psf.tif", 0, {0.16, 0.0645, 0.0645}, Objective(1.4, 1.518, 0.53)),
              ::testing::IsEmpty());
  EXPECT_THAT(Defects(data / "deconwolf_dapi" / "psf.tif", 0, {0.3, 0.13, 0.13}, Objective(1.45, 1.512, 0.461)),
              ::testing::IsEmpty());
  constexpr double kEmission[] = {0.676, 0.435, 0.594};
  for (int64_t c = 0; c < 3; ++c) {
    EXPECT_THAT(
        Defects(data / "dividing_cell" / "psf.tif", c, {0.2, 0.066813, 0.066813}, Objective(1.25, 1.515, kEmission[c])),
        ::testing::IsEmpty());
  }
}

TEST(RealPsf, OfAnAirObjectiveIsItsFormulas) {
  const std::filesystem::path file = testing::SharedData() / "measured_beads" / "airNA085_bead.tif";
  SKIP_WITHOUT(file);
  EXPECT_THAT(Defects(file, 0, {0.3, 0.13, 0.13}, Objective(0.85, 1, 0.52)), ::testing::IsEmpty());
}

TEST(RealPsf, OfOtherOpticsIsFound) {
  const std::filesystem::path file = testing::SharedData() / "dvbars" / "psf.tif";
  SKIP_WITHOUT(file);
  EXPECT_THAT(Defects(file, 0, {0.16, 0.0645, 0.0645}, Objective(0.8, 1, 0.53)), ::testing::Contains("too_narrow"));
  EXPECT_THAT(Defects(file, 0, {0.32, 0.129, 0.129}, Objective(1.4, 1.518, 0.53)), ::testing::Contains("too_broad"));
}

}  // namespace
}  // namespace deconvoy::worker
