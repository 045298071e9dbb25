#include "client/cli/figures/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace deconvoy::client::testing {
namespace {

int64_t DarkIn(const Canvas& canvas, int64_t left, int64_t top, int64_t right, int64_t bottom) {
  int64_t dark = 0;
  for (int64_t y = top; y < bottom; ++y) {
    for (int64_t x = left; x < right; ++x) dark += canvas.pixels()[static_cast<size_t>(y * canvas.width() + x)] < 200;
  }
  return dark;
}

// Of a rising line the lower left and the upper right of the axes' box are inked, the other corners are not.
TEST(PlotTest, ARisingLineRises) {
  Plot plot{.x_title = "x", .y_title = "y", .curves = {{.name = "rise", .x = {0, 1, 2}, .y = {10, 20, 30}}}};
  const Canvas canvas = Draw(plot);
  const int64_t left = 150, right = canvas.width() - 50, bottom = canvas.height() - 90, top = bottom - 460;
  EXPECT_GT(DarkIn(canvas, left, bottom - 80, left + 150, bottom), 100);
  EXPECT_GT(DarkIn(canvas, right - 150, top, right, top + 80), 100);
  EXPECT_EQ(DarkIn(canvas, left, top, left + 150, top + 80), 0);
  EXPECT_EQ(DarkIn(canvas, right - 150, bottom - 80, right, bottom - 10), 0);
}

TEST(PlotTest, EveryCurveHasALineInTheLegendAndLooksOfItsOwn) {
  Plot plot{.x_title = "x", .y_title = "y", .curves = {}};
  std::vector<std::vector<uint8_t>> pictures;
  for (int i = 0; i < 6; ++i) {
    plot.curves.push_back({.name = "", .x = {0, 1}, .y = {0, 1}});
    const Canvas canvas = Draw(plot);
    pictures.emplace_back();
    for (int64_t x = 130; x < 190; ++x)
      pictures.back().push_back(canvas.pixels()[static_cast<size_t>((14 + 20 * i + 8) * canvas.width() + x)]);
  }
  for (size_t i = 0; i < pictures.size(); ++i) {
    EXPECT_LT(*std::min_element(pictures[i].begin(), pictures[i].end()), 200);
    for (size_t j = 0; j < i; ++j) EXPECT_NE(pictures[i], pictures[j]) << i << " " << j;
  }
}

TEST(PlotTest, AConstantAndASinglePointAreDrawn) {
  EXPECT_GT(Draw({.x_title = "", .y_title = "", .curves = {{.name = "", .x = {0, 1}, .y = {5, 5}}}}).height(), 0);
  EXPECT_GT(Draw({.x_title = "", .y_title = "", .curves = {{.name = "", .x = {3}, .y = {0}}}}).height(), 0);
  const double next = std::nextafter(1e9, 2e9);  // so near that no step lies between
  EXPECT_GT(Draw({.x_title = "", .y_title = "", .curves = {{.name = "", .x = {0, 1}, .y = {1e9, next}}}}).height(), 0);
}

}  // namespace
}  // namespace deconvoy::client::testing
