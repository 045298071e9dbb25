#include "proto/contract/volume_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

v1::Shape5 WireShape(uint32_t t, uint32_t c, uint32_t z, uint32_t y, uint32_t x) {
  v1::Shape5 shape;
  shape.set_t(t);
  shape.set_c(c);
  shape.set_z(z);
  shape.set_y(y);
  shape.set_x(x);
  return shape;
}

FrameBox MakeBox(int64_t t, int64_t c, Box3 box) {
  return {.t = t, .c = c, .box = box};
}

TEST(VolumeLayout, VoxelBytes) {
  EXPECT_EQ(BytesPerVoxel(v1::U8), 1);
  EXPECT_EQ(BytesPerVoxel(v1::U16), 2);
  EXPECT_EQ(BytesPerVoxel(v1::F32), 4);
  EXPECT_EQ(BytesPerVoxel(v1::VOXEL_TYPE_UNSPECIFIED), 0);
  EXPECT_EQ(BytesPerVoxel(static_cast<v1::VoxelType>(99)), 0);
  EXPECT_EQ(VolumeBytes({2, 3, 4, 5, 6}, v1::U16), 1440);
}

TEST(VolumeLayout, ShapeRoundTrips) {
  ASSERT_OK_AND_ASSIGN(const Shape5 shape, ToShape(WireShape(2, 3, 4, 5, 6), v1::F32, "shape"));
  EXPECT_EQ(shape, (Shape5{2, 3, 4, 5, 6}));
  const v1::Shape5 wire = ToProto(shape);
  EXPECT_EQ(wire.SerializeAsString(), WireShape(2, 3, 4, 5, 6).SerializeAsString());
}

TEST(VolumeLayout, RefusesEmptyAxes) {
  const std::string axes = "tczyx";
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    std::vector<uint32_t> extents(5, 1);
    extents[axis] = 0;
    const absl::Status status =
        ToShape(WireShape(extents[0], extents[1], extents[2], extents[3], extents[4]), v1::U8, "shape").status();
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_EQ(InfoOf(status).field(), std::string("shape.") + axes[axis]);
  }
}

TEST(VolumeLayout, KeepsTheLimitsOfEachAxis) {
  constexpr auto kAxis = static_cast<uint32_t>(limits::kAxisVoxels);
  EXPECT_OK(ToShape(WireShape(1, 1, kAxis, 1, 1), v1::F32, "shape"));
  EXPECT_OK(ToShape(WireShape(1 << 20, 1, 1, 1, 1), v1::F32, "shape"));
  EXPECT_OK(ToShape(WireShape(1, 4096, 1, 1, 1), v1::F32, "shape"));
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1, 1, kAxis + 1, 1, 1), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1, 1, 1, kAxis + 1, 1), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1, 1, 1, 1, kAxis + 1), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1, 4097, 1, 1, 1), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape((1 << 20) + 1, 1, 1, 1, 1), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1 << 19, 3, 1, 1, 1), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
}

TEST(VolumeLayout, KeepsTheLimitOfBytesWithoutOverflow) {
  // 2^44 bytes exactly, then twice that, then products beyond 64 bits.
  EXPECT_OK(ToShape(WireShape(1, 1, 1 << 4, 1 << 20, 1 << 20), v1::U8, "shape"));
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1, 1, 1 << 4, 1 << 20, 1 << 20), v1::U16, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape(1, 1, 17, 1 << 20, 1 << 20), v1::U8, "s").status()), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(ReasonOf(ToShape(WireShape(256, 4096, 1 << 20, 1 << 20, 1 << 20), v1::F32, "s").status()),
            v1::LIMIT_EXCEEDED);
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  EXPECT_EQ(ReasonOf(ToShape(WireShape(kMost, kMost, kMost, kMost, kMost), v1::F32, "s").status()), v1::LIMIT_EXCEEDED);
}

TEST(VolumeLayout, BoxRoundTrips) {
  const FrameBox box = MakeBox(1, 2, {{3, 4, 5}, {6, 7, 8}});
  EXPECT_EQ(ToFrameBox(ToProto(box)), box);
  const Voxel voxel{-1, 2, 3};
  EXPECT_EQ(ToVoxel(ToProto(voxel)), voxel);
  const Shape3 shape{4, 5, 6};
  EXPECT_EQ(ToShape3(ToProto(shape)), shape);
}

TEST(VolumeLayout, ChecksBoxes) {
  const Shape5 volume{2, 3, 4, 5, 6};
  EXPECT_OK(CheckBox(ToProto(MakeBox(1, 2, {{0, 0, 0}, {4, 5, 6}})), volume, "box"));
  EXPECT_OK(CheckBox(ToProto(MakeBox(0, 0, {{3, 4, 5}, {1, 1, 1}})), volume, "box"));
  const std::vector<FrameBox> wrong{MakeBox(2, 0, {{0, 0, 0}, {1, 1, 1}}), MakeBox(0, 3, {{0, 0, 0}, {1, 1, 1}}),
                                    MakeBox(0, 0, {{4, 0, 0}, {1, 1, 1}}), MakeBox(0, 0, {{0, 4, 0}, {1, 2, 1}}),
                                    MakeBox(0, 0, {{0, 0, 1}, {1, 1, 6}}), MakeBox(0, 0, {{0, 0, 0}, {0, 1, 1}}),
                                    MakeBox(0, 0, {{0, 0, 0}, {1, 1, 0}})};
  for (const FrameBox& box : wrong) {
    const absl::Status status = CheckBox(ToProto(box), volume, "regions[3]");
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_EQ(InfoOf(status).field(), "regions[3]");
  }
  constexpr int64_t kMost = std::numeric_limits<uint32_t>::max();
  EXPECT_FALSE(CheckBox(ToProto(MakeBox(0, 0, {{kMost, kMost, kMost}, {kMost, kMost, kMost}})), volume, "box").ok());
}

std::vector<ByteRun> Runs(const Shape5& volume, v1::VoxelType type, const FrameBox& box) {
  std::vector<ByteRun> runs;
  EXPECT_OK(ForEachRun(volume, type, box, [&](const ByteRun& run) {
    runs.push_back(run);
    return absl::OkStatus();
  }));
  return runs;
}

TEST(ForEachRun, MergesAsFarAsBytesAreContiguous) {
  const Shape5 volume{2, 3, 4, 5, 6};
  EXPECT_EQ(Runs(volume, v1::U16, MakeBox(1, 2, {{0, 0, 0}, {4, 5, 6}})).size(), 1U);  // a frame
  EXPECT_EQ(Runs(volume, v1::U16, MakeBox(1, 2, {{1, 0, 0}, {2, 5, 6}})).size(), 1U);  // planes
  EXPECT_EQ(Runs(volume, v1::U16, MakeBox(1, 2, {{1, 1, 0}, {2, 3, 6}})).size(), 2U);  // rows of two planes
  EXPECT_EQ(Runs(volume, v1::U16, MakeBox(1, 2, {{1, 1, 1}, {2, 3, 5}})).size(), 6U);  // parts of rows
}

// Whatever the box: the runs hold each of its voxels once, in order, where the layout says.
TEST(ForEachRun, VisitsEachVoxelOfTheBoxOnce) {
  const Shape5 volume{2, 3, 4, 5, 6};
  for (const Box3& box : {Box3{{0, 0, 0}, {4, 5, 6}}, Box3{{1, 2, 3}, {2, 2, 2}}, Box3{{0, 1, 0}, {4, 3, 6}},
                          Box3{{3, 0, 0}, {1, 5, 6}}, Box3{{0, 0, 5}, {4, 5, 1}}}) {
    std::vector<int64_t> expected;
    for (int64_t z = 0; z < box.shape.z; ++z) {
      for (int64_t y = 0; y < box.shape.y; ++y) {
        for (int64_t x = 0; x < box.shape.x; ++x) {
          const int64_t frame = 1 * 3 + 2;
          expected.push_back((((frame * 4 + box.origin.z + z) * 5 + box.origin.y + y) * 6 + box.origin.x + x) * 4);
        }
      }
    }
    std::vector<int64_t> visited;
    int64_t box_offset = 0;
    for (const ByteRun& run : Runs(volume, v1::F32, MakeBox(1, 2, box))) {
      EXPECT_EQ(run.box_offset, box_offset);
      box_offset += run.bytes;
      for (int64_t byte = 0; byte < run.bytes; byte += 4) visited.push_back(run.volume_offset + byte);
    }
    EXPECT_EQ(visited, expected);
  }
}

TEST(ForEachRun, StopsAtTheFirstError) {
  int calls = 0;
  const absl::Status status =
      ForEachRun({1, 1, 4, 5, 6}, v1::U8, MakeBox(0, 0, {{0, 0, 0}, {4, 5, 2}}),
                 [&](const ByteRun&) { return ++calls == 3 ? absl::InternalError("stop") : absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(calls, 3);
}

std::vector<FrameBox> Pieces(const FrameBox& box, v1::VoxelType type, int64_t max_bytes) {
  std::vector<FrameBox> pieces;
  EXPECT_OK(ForEachPiece(box, type, max_bytes, [&](const FrameBox& piece) {
    pieces.push_back(piece);
    return absl::OkStatus();
  }));
  return pieces;
}

TEST(ForEachPiece, CutsIntoPlanesRowsOrPartsOfRows) {
  const FrameBox box = MakeBox(1, 2, {{1, 2, 3}, {5, 6, 7}});
  // 42 voxels in a plane.
  EXPECT_EQ(Pieces(box, v1::U16, 1 << 20), std::vector{box});
  const auto two_planes = Pieces(box, v1::U16, 2 * 42 * 2);
  ASSERT_EQ(two_planes.size(), 3U);
  EXPECT_EQ(two_planes[0], MakeBox(1, 2, {{1, 2, 3}, {2, 6, 7}}));
  EXPECT_EQ(two_planes[2], MakeBox(1, 2, {{5, 2, 3}, {1, 6, 7}}));
  const auto rows = Pieces(box, v1::U16, 41 * 2);
  ASSERT_EQ(rows.size(), 10U);
  EXPECT_EQ(rows[0], MakeBox(1, 2, {{1, 2, 3}, {1, 5, 7}}));
  EXPECT_EQ(rows[1], MakeBox(1, 2, {{1, 7, 3}, {1, 1, 7}}));
  const auto parts = Pieces(box, v1::U16, 5 * 2 + 1);
  ASSERT_EQ(parts.size(), 60U);
  EXPECT_EQ(parts[0], MakeBox(1, 2, {{1, 2, 3}, {1, 1, 5}}));
  EXPECT_EQ(parts[1], MakeBox(1, 2, {{1, 2, 8}, {1, 1, 2}}));
  EXPECT_EQ(parts[2], MakeBox(1, 2, {{1, 3, 3}, {1, 1, 5}}));
}

TEST(ForEachPiece, CoversTheBoxWithoutOverlapAndKeepsTheLimit) {
  const FrameBox box = MakeBox(0, 0, {{2, 0, 5}, {4, 9, 11}});
  for (int64_t max_bytes = 4; max_bytes < 1700; max_bytes += 13) {
    int64_t voxels = 0;
    std::set<std::vector<int64_t>> seen;
    for (const FrameBox& piece : Pieces(box, v1::F32, max_bytes)) {
      EXPECT_LE(piece.box.shape.voxels() * 4, max_bytes);
      EXPECT_TRUE(box.box.Contains(piece.box));
      voxels += piece.box.shape.voxels();
      seen.insert({piece.box.origin.z, piece.box.origin.y, piece.box.origin.x});
    }
    EXPECT_EQ(voxels, box.box.shape.voxels()) << max_bytes;
  }
}

TEST(ForEachPiece, StopsAtTheFirstError) {
  int calls = 0;
  const absl::Status status = ForEachPiece(MakeBox(0, 0, {{0, 0, 0}, {4, 5, 6}}), v1::U8, 1, [&](const FrameBox&) {
    ++calls;
    return absl::InternalError("stop");
  });
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(calls, 1);
}

TEST(CopyBox, CopiesWhatIsCommonAndNothingElse) {
  const Box3 from{{1, 1, 1}, {3, 4, 5}}, to{{2, 0, 3}, {4, 3, 6}};
  std::vector<uint16_t> source(static_cast<size_t>(from.shape.voxels()));
  std::iota(source.begin(), source.end(), uint16_t{1000});
  std::vector<uint16_t> target(static_cast<size_t>(to.shape.voxels()), 7);
  CopyBox(reinterpret_cast<const std::byte*>(source.data()), from, reinterpret_cast<std::byte*>(target.data()), to, 2);
  for (int64_t z = 2; z < 6; ++z) {
    for (int64_t y = 0; y < 3; ++y) {
      for (int64_t x = 3; x < 9; ++x) {
        const auto at = static_cast<size_t>(((z - 2) * 3 + y) * 6 + x - 3);
        const bool common = from.Contains({{z, y, x}, {1, 1, 1}});
        EXPECT_EQ(target[at], common ? 1000 + ((z - 1) * 4 + y - 1) * 5 + x - 1 : 7) << z << " " << y << " " << x;
      }
    }
  }
}

TEST(CopyBox, DoesNothingWhereTheBoxesDoNotMeet) {
  const std::vector<std::byte> source(8, std::byte{1});
  std::vector<std::byte> target(8, std::byte{2});
  CopyBox(source.data(), {{0, 0, 0}, {2, 2, 2}}, target.data(), {{2, 0, 0}, {2, 2, 2}}, 1);
  EXPECT_EQ(target, std::vector<std::byte>(8, std::byte{2}));
}

}  // namespace
}  // namespace deconvoy
