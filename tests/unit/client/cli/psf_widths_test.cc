#include "client/cli/psf_widths.h"

#include <gtest/gtest.h>

namespace deconvoy::client {
namespace {

v1::Job Checked(double z, double y, double x) {
  v1::Job job;
  for (uint32_t c = 0; c < 2; ++c) {
    v1::PsfReport& report = *job.add_psfs();
    report.set_c(c);
    report.set_fwhm_z(z * (c + 1));
    report.set_fwhm_y(y);
    report.set_fwhm_x(x);
  }
  return job;
}

v1::VoxelSize Voxel(double z_um, double yx_um) {
  v1::VoxelSize voxel;
  voxel.set_z_um(z_um);
  voxel.set_y_um(yx_um);
  voxel.set_x_um(yx_um);
  return voxel;
}

TEST(PsfWidths, AreInUmWhereVoxelsAreKnown) {
  const auto widths = WidthsOf(Checked(3, 2, 2.5), Voxel(0.2, 0.1));
  ASSERT_EQ(widths.size(), 2U);
  EXPECT_EQ(WidthsText(widths[0]), "0.6 x 0.2 x 0.25 um");
  EXPECT_EQ(WidthsText(widths[1]), "1.2 x 0.2 x 0.25 um");
  EXPECT_EQ(widths[1].c, 1U);
  EXPECT_EQ(WidthsText(WidthsOf(Checked(3, 2, 2.5), {})[0]), "3 x 2 x 2.5 voxels");
}

TEST(PsfWidths, ChangesAreThoseOfEachAxis) {
  const auto now = WidthsOf(Checked(3, 2, 2), Voxel(0.2, 0.1)), then = WidthsOf(Checked(6, 4, 5), Voxel(0.08, 0.05));
  EXPECT_EQ(DriftText(now[0], then[0]), "+25 %, +0 %, -20 %");
  EXPECT_NEAR(Drift(now[0], then[0]), 0.25, 1e-12);
  EXPECT_EQ(DriftText(now[0], WidthsOf(Checked(6, 4, 5), {})[0]), "") << "um and voxels";
  EXPECT_EQ(DriftText(now[0], WidthsOf(Checked(0, 4, 5), Voxel(1, 1))[0]), "") << "no width";
  EXPECT_EQ(Drift(now[0], WidthsOf(Checked(0, 4, 5), Voxel(1, 1))[0]), 0);
}

}  // namespace
}  // namespace deconvoy::client
