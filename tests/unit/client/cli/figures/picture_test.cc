#include "client/cli/figures/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "client/cli/figures/canvas.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client::testing {
namespace {

using ::testing::HasSubstr;

struct Grey {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;
  uint8_t At(int64_t x, int64_t y) const { return pixels[static_cast<size_t>(y * width + x)]; }
};

Grey ReadPng(const std::filesystem::path& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
  image.format = PNG_FORMAT_GRAY;
  Grey grey{image.width, image.height, std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  EXPECT_NE(png_image_finish_read(&image, nullptr, grey.pixels.data(), 0, nullptr), 0) << image.message;
  return grey;
}

// A ramp from 0 to 1 along x.
Panel Ramp(int64_t width, int64_t height, double width_um = 0, double height_um = 0) {
  Panel panel{.title = "ramp",
              .width = width,
              .height = height,
              .pixels = {},
              .pixel_width_um = width_um,
              .pixel_height_um = height_um};
  for (int64_t i = 0; i < width * height; ++i)
    panel.pixels.push_back(static_cast<float>(i % width) / static_cast<float>(width - 1));
  return panel;
}

constexpr int64_t kMargin = 14, kCaption = 2 * kLineHeight;

class PictureTest : public ::testing::Test {
 protected:
  Grey Write(const std::vector<std::vector<Panel>>& rows) {
    EXPECT_OK(WritePicture(path_, rows));
    return ReadPng(path_);
  }

  const ::deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "picture.png";
};

TEST_F(PictureTest, SmallPanelsAreEnlargedByAWholeNumber) {
  const Grey picture = Write({{Ramp(100, 50)}});
  EXPECT_EQ(picture.width, 400 + 2 * kMargin);
  EXPECT_EQ(picture.height, 200 + kCaption + 2 * kMargin);
  EXPECT_EQ(picture.At(kMargin, kMargin + kCaption), 0);
  EXPECT_EQ(picture.At(kMargin + 399, kMargin + kCaption), 255);
  EXPECT_NEAR(picture.At(kMargin + 200, kMargin + kCaption + 100), 128, 2);
}

TEST_F(PictureTest, LargePanelsAreShrunk) {
  EXPECT_EQ(Write({{Ramp(3000, 300)}}).width, 900 + 2 * kMargin);
}

TEST_F(PictureTest, PixelsThatAreNotSquareAreStretched) {
  const Grey picture = Write({{Ramp(100, 50, 0.1, 0.3)}});
  EXPECT_EQ(picture.width, 400 + 2 * kMargin);
  EXPECT_EQ(picture.height, 600 + kCaption + 2 * kMargin);
}

TEST_F(PictureTest, PanelsShareOneScaleAndKeepTheirColumns) {
  const Grey picture = Write({{Ramp(100, 100, 0.1, 0.1), Ramp(50, 100, 0.1, 0.1)}, {Ramp(100, 10, 0.1, 0.2), Panel{}}});
  EXPECT_EQ(picture.width, 400 + 200 + 3 * kMargin);
  EXPECT_EQ(picture.height, 400 + 80 + 2 * kCaption + 3 * kMargin);
  EXPECT_EQ(picture.At(picture.width - kMargin - 10, picture.height - kMargin - 10), picture.At(0, 0))
      << "the empty place";
}

TEST_F(PictureTest, AFewVeryBrightPixelsDoNotDarkenTheRest) {
  Panel panel = Ramp(100, 100);
  for (size_t i = 0; i < 15; ++i) panel.pixels[i * 100] = 1000;
  const Grey picture = Write({{panel}});
  EXPECT_NEAR(picture.At(kMargin + 200, kMargin + kCaption + 390), 128, 2);
}

TEST_F(PictureTest, ASinglePointOnBlackShows) {
  Panel panel = Ramp(100, 100);
  panel.pixels.assign(panel.pixels.size(), 0);
  panel.pixels[5050] = 3;
  const Grey picture = Write({{panel}});
  EXPECT_GT(picture.At(kMargin + 202, kMargin + kCaption + 202), 100);
}

TEST_F(PictureTest, ConstantAndUnsoundPanelsAreBlack) {
  Panel panel = Ramp(100, 100);
  panel.pixels.assign(panel.pixels.size(), 7);
  EXPECT_EQ(Write({{panel}}).At(kMargin + 100, kMargin + kCaption + 100), 0);
  panel.pixels.assign(panel.pixels.size(), std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(Write({{panel}}).At(kMargin + 100, kMargin + kCaption + 100), 0);
}

TEST_F(PictureTest, AGivenContrastIsUsed) {
  Panel panel = Ramp(100, 100);
  panel.contrast = Contrast{0, 2};
  EXPECT_NEAR(Write({{panel}}).At(kMargin + 399, kMargin + kCaption), 128, 2);
}

TEST_F(PictureTest, ATinyFigureOfACaptionIsZero) {
  Panel panel = Ramp(100, 100);
  panel.contrast = Contrast{0, 1};
  const Grey zero = Write({{panel}});
  panel.contrast = Contrast{1e-30F, 1};
  EXPECT_EQ(Write({{panel}}).pixels, zero.pixels);
}

TEST_F(PictureTest, AScaleBarOfARoundLength) {
  // 400 canvas pixels are 10 um; the largest round length up to a quarter of that is 2 um, 80 pixels.
  Panel panel = Ramp(100, 100, 0.1, 0.1);
  panel.pixels.assign(panel.pixels.size(), 0);
  const Grey picture = Write({{panel}});
  int64_t longest = 0;
  for (int64_t y = kMargin + kCaption; y < picture.height - kMargin; ++y) {
    int64_t run = 0;
    for (int64_t x = kMargin; x < picture.width - kMargin; ++x) {
      run = picture.At(x, y) == 255 ? run + 1 : 0;
      longest = std::max(longest, run);
    }
  }
  EXPECT_EQ(longest, 80);
  panel.pixel_width_um = panel.pixel_height_um = 0;
  const Grey without = Write({{panel}});
  EXPECT_EQ(without.At(kMargin + 380, kMargin + kCaption + 390), 0);
}

TEST_F(PictureTest, TitlesAreWrittenAndLongOnesCut) {
  Panel panel = Ramp(100, 20);
  panel.title = "";
  const Grey empty = Write({{panel}});
  panel.title.assign(200, 'W').append("\xc3\xa9");
  const Grey titled = Write({{panel}});
  EXPECT_EQ(titled.width, empty.width);
  const auto bright = [](const Grey& picture) {
    int64_t count = 0;
    for (int64_t y = 0; y < kMargin + kLineHeight; ++y) {
      for (int64_t x = 0; x < picture.width; ++x) count += picture.At(x, y) > 200 ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(bright(empty), 0);
  EXPECT_GT(bright(titled), 1000);
}

TEST_F(PictureTest, ErrorsLeaveNothing) {
  EXPECT_FALSE(WritePicture(path_, {}).ok());
  EXPECT_FALSE(WritePicture(path_, {{Panel{}}}).ok());
  Panel wrong = Ramp(10, 10);
  wrong.pixels.pop_back();
  EXPECT_THAT(std::string(WritePicture(path_, {{wrong}}).message()), HasSubstr("99 pixels"));
  EXPECT_EQ(ReasonOf(WritePicture(path_, {std::vector<Panel>(100, Ramp(400, 4))})), v1::LIMIT_EXCEEDED);
  EXPECT_THAT(std::string(WritePicture(folder_.path() / "none" / "p.png", {{Ramp(9, 9)}}).message()),
              HasSubstr("does not exist"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace deconvoy::client::testing
