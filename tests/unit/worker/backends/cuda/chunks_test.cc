#include "worker/backends/cuda/chunks.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace deconvoy::worker::cuda {
namespace {

const Shape3 kDomains[] = {{1, 1, 1}, {5, 6, 8}, {37, 3, 4}, {16, 17, 31}, {1, 9, 1}, {100, 1, 7}};

TEST(ChunksTest, PlanesAreCoveredOnceInOrder) {
  for (const Shape3& domain : kDomains) {
    for (const int64_t bytes : {1, 300, 5000, 1 << 20}) {
      const Chunks chunks(domain, bytes);
      for (int64_t first = 0; first < domain.z; ++first) {
        for (int64_t count = 1; first + count <= domain.z; ++count) {
          int64_t next = first;
          for (const Planes& planes : chunks.OfPlanes({first, count})) {
            EXPECT_EQ(planes.first, next);
            EXPECT_TRUE(std::has_single_bit(static_cast<uint64_t>(planes.count)));
            EXPECT_LE(planes.count, chunks.most_planes());
            EXPECT_TRUE(planes.count == 1 || planes.count * chunks.plane() * 8 <= bytes);
            next += planes.count;
          }
          EXPECT_EQ(next, first + count);
        }
      }
    }
  }
}

TEST(ChunksTest, ColumnsAreCoveredOnceInOrder) {
  for (const Shape3& domain : kDomains) {
    for (const int64_t bytes : {1, 300, 5000, 1 << 20}) {
      const Chunks chunks(domain, bytes);
      int64_t next = 0;
      for (const Columns& columns : chunks.OfColumns()) {
        EXPECT_EQ(columns.first, next);
        EXPECT_GT(columns.count, 0);
        EXPECT_LE(columns.count, chunks.OfColumns().front().count);
        EXPECT_TRUE(columns.count == 1 || columns.count * domain.z * 8 <= bytes);
        next += columns.count;
        EXPECT_TRUE(next == chunks.plane() || columns.count == chunks.OfColumns().front().count)
            << "two plans are enough";
      }
      EXPECT_EQ(next, chunks.plane());
    }
  }
}

TEST(ChunksTest, TransformsLeaveAxesOfOneVoxelOut) {
  const Chunks whole({4, 6, 9}, 1 << 20);
  EXPECT_EQ(whole.row(), 5);
  EXPECT_EQ(whole.PlaneFft(2), (FftShape{.real = true, .extents = {6, 9}, .stride = 1, .distance = 30, .batch = 2}));
  EXPECT_EQ(whole.ColumnFft(7), (FftShape{.real = false, .extents = {4}, .stride = 30, .distance = 1, .batch = 7}));

  const Chunks row({4, 1, 9}, 1 << 20);
  EXPECT_EQ(row.PlaneFft(4), (FftShape{.real = true, .extents = {9}, .stride = 1, .distance = 5, .batch = 4}));
  const Chunks line({1, 6, 1}, 1 << 20);
  EXPECT_EQ(line.PlaneFft(1), (FftShape{.real = false, .extents = {6}, .stride = 1, .distance = 6, .batch = 1}));
  EXPECT_EQ(line.ColumnFft(6), std::nullopt);
  EXPECT_EQ(Chunks({5, 1, 1}, 1 << 20).PlaneFft(5), std::nullopt);
}

}  // namespace
}  // namespace deconvoy::worker::cuda
