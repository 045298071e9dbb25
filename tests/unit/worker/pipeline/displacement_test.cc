#include "worker/pipeline/displacement.h"

#include <gtest/gtest.h>

#include <vector>

namespace deconvoy::worker {
namespace {

constexpr Shape3 kFrame{4, 5, 6};

v1::FrameStatistics Moved(int32_t z, const std::vector<int32_t>& y, const std::vector<int32_t>& x) {
  v1::FrameStatistics frame;
  frame.set_shift_z(z);
  frame.mutable_plane_shift_y()->Assign(y.begin(), y.end());
  frame.mutable_plane_shift_x()->Assign(x.begin(), x.end());
  return frame;
}

TEST(Displacement, WithoutOneABoxIsWhereItIs) {
  const v1::FrameStatistics frame;
  EXPECT_FALSE(DisplacementOf(frame).any());
  const Box3 box{{1, 2, 3}, {9, 9, 9}};
  EXPECT_EQ(RecordedBox(DisplacementOf(frame), kFrame, box), box);
}

TEST(Displacement, TheRecordedBoxHoldsAllPlanesAndEndsWithTheFrame) {
  const v1::FrameStatistics frame = Moved(1, {0, 0, 2, -1}, {0, 0, 0, 3});
  const Displacement displacement = DisplacementOf(frame);
  EXPECT_EQ(RecordedBox(displacement, kFrame, {{1, 2, 1}, {2, 2, 2}}), (Box3{{2, 1, 1}, {2, 4, 5}}));
  EXPECT_EQ(RecordedBox(displacement, kFrame, {{0, 0, 0}, {4, 5, 6}}), (Box3{{1, 0, 0}, {3, 5, 6}}));
  EXPECT_EQ(RecordedBox(displacement, kFrame, {{3, 0, 0}, {1, 5, 6}}).shape.z, 0) << "beyond the last plane";
  const v1::FrameStatistics gone = Moved(0, {5, 5, 5, 5}, {});
  EXPECT_TRUE(RecordedBox(DisplacementOf(gone), kFrame, {{0, 0, 0}, {4, 5, 6}}).empty());
}

// Each voxel of the frame holds its place; those of the box must hold the place that they were recorded at.
TEST(Displacement, VoxelsComeFromWhereTheyWereRecorded) {
  const v1::FrameStatistics frame = Moved(-1, {0, 2, -7, 1}, {0, -1, 0, 4});
  const Displacement displacement = DisplacementOf(frame);
  for (const Box3& box : {Box3{{0, 0, 0}, kFrame}, Box3{{1, 1, 2}, {3, 3, 3}}, Box3{{2, 4, 5}, {2, 1, 1}}}) {
    const Box3 recorded = RecordedBox(displacement, kFrame, box);
    for (int64_t z = 0; z < box.shape.z; ++z) {
      const int64_t plane = box.origin.z + z - 1;
      const auto p = RecordedPlane(displacement, recorded, box, z);
      if (plane < 0) {
        EXPECT_FALSE(p.has_value());
        continue;
      }
      std::vector<float> placed(static_cast<size_t>(box.shape.y * box.shape.x), -1);
      if (p) {
        ASSERT_EQ(recorded.origin.z + *p, plane);
        std::vector<float> values;
        for (int64_t i = 0; i < recorded.shape.y * recorded.shape.x; ++i) {
          const int64_t y = recorded.origin.y + i / recorded.shape.x, x = recorded.origin.x + i % recorded.shape.x;
          values.push_back(static_cast<float>(10 * y + x));
        }
        PlacePlane(displacement, recorded, *p, values, box, -1, placed);
      }
      for (int64_t i = 0; i < box.shape.y * box.shape.x; ++i) {
        const int64_t y = box.origin.y + i / box.shape.x + displacement.YOf(plane);
        const int64_t x = box.origin.x + i % box.shape.x + displacement.XOf(plane);
        const bool inside = y >= 0 && y < kFrame.y && x >= 0 && x < kFrame.x;
        EXPECT_EQ(placed[static_cast<size_t>(i)], inside ? static_cast<float>(10 * y + x) : -1.0F) << z << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
