#include "worker/psf/estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

// Of a box of 3 x 3 x 5 voxels that sticks out of the volume of 3 x 4 x 5 by a column on the left.
v1::PsfReport Given() {
  v1::PsfReport report;
  *report.mutable_crop_origin() = ToProto(Voxel{0, 1, -1});
  *report.mutable_crop_shape() = ToProto(Voxel{3, 3, 5});
  *report.mutable_centre() = ToProto(Voxel{1, 2, 1});
  report.set_rule(v1::PEAK);
  report.set_sum(17);
  report.set_energy(0.9);
  return report;
}

constexpr Shape3 kShape{3, 4, 5};

PreparedPsf Estimate() {
  PreparedPsf psf{std::vector<float>(45), {3, 3, 5}, {1, 1, 2}};
  psf.values[15 + 5 + 2] = 0.5F;       // the centre
  psf.values[2 * 15 + 5 + 2] = 0.25F;  // one plane deeper
  psf.values[15 + 5 + 4] = 0.25F;      // two columns to the right
  return psf;
}

TEST(PsfEstimate, LiesWhereTheGivenOneDoes) {
  const std::vector<float> volume = InVolume(Estimate(), Given(), kShape);
  ASSERT_EQ(volume.size(), 60U);
  EXPECT_EQ(volume[20 + 2 * 5 + 1], 0.5F);
  EXPECT_EQ(volume[40 + 2 * 5 + 1], 0.25F);
  EXPECT_EQ(volume[20 + 2 * 5 + 3], 0.25F);
}

TEST(PsfEstimate, IsPreparedAgainAsItWas) {
  const std::vector<float> volume = InVolume(Estimate(), Given(), kShape);
  const v1::PsfReport report = ReportEstimate(volume, kShape, Given(), 3);
  EXPECT_EQ(report.c(), 3U);
  EXPECT_EQ(report.rule(), v1::PEAK);
  EXPECT_EQ(report.sum(), 1);
  EXPECT_EQ(report.energy(), 1);
  EXPECT_EQ(report.spread_z(), 0.5);
  EXPECT_EQ(report.spread_y(), 0);
  EXPECT_EQ(report.spread_x(), 1);
  const Box3 box = PsfBoxToRead(report, kShape);
  std::vector<float> read;
  for (int64_t z = box.origin.z; z < box.end().z; ++z)
    for (int64_t y = box.origin.y; y < box.end().y; ++y)
      for (int64_t x = box.origin.x; x < box.end().x; ++x)
        read.push_back(volume[static_cast<size_t>((z * kShape.y + y) * kShape.x + x)]);
  ASSERT_OK_AND_ASSIGN(const PreparedPsf again, PreparePsf(read, kShape, report));
  EXPECT_EQ(again.values, Estimate().values);
  EXPECT_EQ(again.centre, Estimate().centre);
}

}  // namespace
}  // namespace deconvoy::worker
