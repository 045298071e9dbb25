#include "proto/contract/preview.h"

#include <gtest/gtest.h>

namespace deconvoy {
namespace {

TEST(PreviewTest, TheStepIsTheLeastThatLeavesFewPixels) {
  EXPECT_EQ(PreviewStep({1, 1, 1}), 1);
  EXPECT_EQ(PreviewStep({500, 256, 10}), 1);
  EXPECT_EQ(PreviewStep({1, 257, 10}), 2);
  EXPECT_EQ(PreviewStep({1, 10, 512}), 2);
  EXPECT_EQ(PreviewStep({1, 10, 513}), 3);
  for (int64_t extent = 1; extent < 3000; extent += 7) {
    const int64_t step = PreviewStep({1, 1, extent});
    EXPECT_LE(PreviewPixels({{}, {1, 1, extent}}, step).shape.x, kPreviewPixels) << extent;
    if (step == 1) continue;
    EXPECT_GT(PreviewPixels({{}, {1, 1, extent}}, step - 1).shape.x, kPreviewPixels) << extent;
  }
}

TEST(PreviewTest, ABoxTouchesThePixelsOfItsVoxels) {
  EXPECT_EQ(PreviewPixels({{3, 0, 0}, {5, 6, 7}}, 1), (Box3{{0, 0, 0}, {1, 6, 7}}));
  EXPECT_EQ(PreviewPixels({{3, 2, 4}, {5, 1, 1}}, 3), (Box3{{0, 0, 1}, {1, 1, 1}}));
  EXPECT_EQ(PreviewPixels({{0, 2, 3}, {1, 2, 3}}, 3), (Box3{{0, 0, 1}, {1, 2, 1}})) << "rows 2 and 3, columns 3 to 5";
  EXPECT_EQ(PreviewPixels({{0, 0, 5}, {1, 1, 2}}, 3), (Box3{{0, 0, 1}, {1, 1, 2}})) << "columns 5 and 6";
}

}  // namespace
}  // namespace deconvoy
