#include "worker/backends/cpu/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "worker/backends/cpu/spectrum.h"

namespace deconvoy::worker::cpu {
namespace {

TEST(ColumnsTest, RunsAreMaximal) {
  const std::vector<int64_t> positions = {1, 2, 4, 7, 8, 9};
  const Runs runs = RunsOf(positions);
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0].begin, 1);
  EXPECT_EQ(runs[0].end, 3);
  EXPECT_EQ(runs[1].begin, 4);
  EXPECT_EQ(runs[1].end, 5);
  EXPECT_EQ(runs[2].begin, 7);
  EXPECT_EQ(runs[2].end, 10);
  EXPECT_TRUE(RunsOf({}).empty());
}

// Lengths and numbers of columns around the blocks of four that are moved at once.
TEST(ColumnsTest, GathersAndScattersAnyShape) {
  constexpr int64_t kStride = 40, kExtent = 21, kPitch = 24;
  for (const Runs& runs : {Runs{{0, kExtent}}, Runs{{1, 3}, {4, 5}}, Runs{{3, 16}, {17, 21}}, Runs{}}) {
    for (const int64_t columns : {1, 3, 4, 6, 16, 19, 32}) {
      const auto taken = [&](int64_t i, int64_t j) {
        return j < columns &&
               std::any_of(runs.begin(), runs.end(), [&](const auto& run) { return i >= run.begin && i < run.end; });
      };
      std::vector<Complex> source(kStride * kExtent), lines(static_cast<size_t>(kPitch * columns), Complex{-7});
      for (size_t i = 0; i < source.size(); ++i) source[i] = Complex(static_cast<float>(i), 1);
      GatherColumns(source.data(), kStride, runs, kExtent, columns, kPitch, lines.data());
      for (int64_t j = 0; j < columns; ++j) {
        for (int64_t i = 0; i < kPitch; ++i) {
          const Complex expected = i >= kExtent  ? Complex{-7}
                                   : taken(i, j) ? source[static_cast<size_t>(i * kStride + j)]
                                                 : Complex{};
          EXPECT_EQ(lines[static_cast<size_t>(j * kPitch + i)], expected) << i << " " << j << " of " << columns;
        }
      }
      std::vector<Complex> target(source.size());
      ScatterColumns(lines.data(), kPitch, runs, columns, kStride, target.data());
      for (int64_t i = 0; i < kExtent; ++i) {
        for (int64_t j = 0; j < kStride; ++j) {
          const auto at = static_cast<size_t>(i * kStride + j);
          EXPECT_EQ(target[at], taken(i, j) ? source[at] : Complex{}) << i << " " << j << " of " << columns;
        }
      }
    }
  }
}

TEST(SpectrumLayoutTest, BundlesCoverEveryColumnAndStayInsideAPlane) {
  for (const Shape3& shape : {Shape3{1, 1, 1}, Shape3{5, 7, 9}, Shape3{128, 576, 576}, Shape3{96, 2160, 2048}}) {
    const SpectrumLayout layout(shape);
    EXPECT_EQ(layout.row, shape.x / 2 + 1);
    EXPECT_GE(layout.bundles * kColumnsAtOnce, shape.y * layout.row);
    EXPECT_GE(layout.plane, layout.bundles * kColumnsAtOnce);
    EXPECT_LE(layout.plane, shape.y * layout.row + 24);
  }
}

// Else the same place of all planes, or of all lines, would fall into a few sets of the cache.
TEST(SpectrumLayoutTest, PlanesAndLinesAreAnOddNumberOfCacheLines) {
  for (int64_t n = 1; n < 1200; ++n) {
    ASSERT_GE(LinePitch(n), n);
    ASSERT_LE(LinePitch(n), n + 15);
    ASSERT_EQ(LinePitch(n) % 16, 8) << n;
    ASSERT_EQ(SpectrumLayout({3, n, 64}).plane % 16, 8) << n;
  }
}

}  // namespace
}  // namespace deconvoy::worker::cpu
