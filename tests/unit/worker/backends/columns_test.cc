#include "worker/backends/cpu/columns.h"

#include <gtest/gtest.h>

#include <vector>

#include "worker/backends/cpu/spectrum.h"

namespace deconvoy::worker::cpu {
namespace {

TEST(ColumnsTest, GathersAndScattersAnyWidth) {
  constexpr int64_t kStride = 40, kExtent = 5;
  const std::vector<int64_t> indices = {1, 2, 4};
  for (const int64_t width : {4, 8, 16, 32}) {
    for (const int64_t columns : {width, width - 3}) {
      std::vector<Complex> source(kStride * kExtent), block(static_cast<size_t>(kExtent * width), Complex{-7});
      for (size_t i = 0; i < source.size(); ++i) source[i] = Complex(static_cast<float>(i), 1);
      GatherColumns(source.data(), kStride, indices, kExtent, width, columns, block.data());
      for (int64_t i = 0; i < kExtent; ++i) {
        for (int64_t j = 0; j < width; ++j) {
          const bool taken = i != 0 && i != 3 && j < columns;
          EXPECT_EQ(block[static_cast<size_t>(i * width + j)],
                    taken ? source[static_cast<size_t>(i * kStride + j)] : Complex{});
        }
      }
      std::vector<Complex> target(source.size());
      ScatterColumns(block.data(), width, columns, indices, kStride, target.data());
      for (int64_t i = 0; i < kExtent; ++i) {
        for (int64_t j = 0; j < kStride; ++j) {
          const bool given = i != 0 && i != 3 && j < columns;
          const auto at = static_cast<size_t>(i * kStride + j);
          EXPECT_EQ(target[at], given ? source[at] : Complex{});
        }
      }
    }
  }
}

TEST(SpectrumLayoutTest, BundlesCoverEveryColumnAndStayInsideAPlane) {
  for (const Shape3& shape : {Shape3{1, 1, 1}, Shape3{5, 7, 9}, Shape3{128, 576, 576}, Shape3{96, 2160, 2048}}) {
    const SpectrumLayout layout(shape);
    EXPECT_EQ(layout.row, shape.x / 2 + 1);
    EXPECT_GE(layout.bundles * layout.bundle_width, shape.y * layout.row);
    EXPECT_GE(layout.plane, layout.bundles * layout.bundle_width);
    EXPECT_EQ(layout.plane % 8, 0) << "bundles begin on cache lines";
    EXPECT_LE(layout.plane, shape.y * layout.row + 1024);
  }
}

}  // namespace
}  // namespace deconvoy::worker::cpu
