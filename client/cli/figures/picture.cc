#include "client/cli/figures/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "client/cli/figures/canvas.h"
#include "client/cli/figures/png_file.h"
#include "client/cli/figures/resample.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr uint8_t kBackground = 24, kText = 235, kFaint = 150, kWhite = 255, kBlack = 0;
constexpr int64_t kMargin = 14;
constexpr int64_t kCaptionLines = 2;
constexpr double kWhitePercentile = 0.998;
// The widest panel is enlarged by a whole number to at least the first width, or shrunk to the second.
constexpr int64_t kSmallestWidth = 360, kLargestWidth = 900;
constexpr int64_t kLargestSide = 20'000;
constexpr int64_t kBarHeight = 5;
// Below this many canvas pixels a panel is too small for a scale bar.
constexpr int64_t kBarPanelWidth = 100, kBarPanelHeight = 120;

bool Empty(const Panel& panel) {
  return panel.pixels.empty();
}

// Size of one pixel; square and 1 where nothing is known.
std::pair<double, double> PixelSize(const Panel& panel) {
  const double known = std::max(panel.pixel_width_um, panel.pixel_height_um);
  const double other = known > 0 ? known : 1;
  return {panel.pixel_width_um > 0 ? panel.pixel_width_um : other,
          panel.pixel_height_um > 0 ? panel.pixel_height_um : other};
}

// A figure of a caption; what is nothing beside `largest` is 0.
std::string FigureText(float value, float largest) {
  constexpr float kNothing = 1e-6F, kLeast = 1e-20F;
  const bool nothing = std::abs(value) < std::max(kNothing * largest, kLeast);
  return fmt::format("{:.6g}", nothing ? 0.0F : value);
}

std::string CaptionText(const Contrast& contrast) {
  const float largest = std::max(std::abs(contrast.black), std::abs(contrast.white));
  return fmt::format("{} to {}", FigureText(contrast.black, largest), FigureText(contrast.white, largest));
}

std::vector<uint8_t> ToGrey(const std::vector<float>& values, const Contrast& contrast) {
  const double range = static_cast<double>(contrast.white) - contrast.black;
  std::vector<uint8_t> grey(values.size());
  std::transform(values.begin(), values.end(), grey.begin(), [&](float value) {
    const double shade = range > 0 ? (static_cast<double>(value) - contrast.black) / range : 0;
    return static_cast<uint8_t>(std::lround(255 * std::clamp(shade, 0.0, 1.0)));
  });
  return grey;
}

// The largest of 1, 2, 5 times a power of ten that is at most `length`.
double RoundLength(double length) {
  const double decade = std::pow(10, std::floor(std::log10(length)));
  for (const double step : {5.0, 2.0}) {
    if (step * decade <= length) return step * decade;
  }
  return decade;
}

class Composer {
 public:
  explicit Composer(const std::vector<std::vector<Panel>>& rows) : rows_(rows), scale_(Scale()) {
    for (const std::vector<Panel>& row : rows) {
      heights_.push_back(0);
      for (size_t i = 0; i < row.size(); ++i) {
        if (widths_.size() <= i) widths_.push_back(0);
        if (Empty(row[i])) continue;
        const auto [width, height] = Size(row[i]);
        widths_[i] = std::max(widths_[i], width);
        heights_.back() = std::max(heights_.back(), height);
      }
    }
  }

  int64_t width() const { return Total(widths_, kMargin); }
  int64_t height() const { return Total(heights_, kMargin + kCaptionLines * kLineHeight); }

  Canvas Draw() const {
    Canvas canvas(width(), height(), kBackground);
    int64_t y = kMargin;
    for (size_t r = 0; r < rows_.size(); ++r) {
      int64_t x = kMargin;
      for (size_t i = 0; i < rows_[r].size(); ++i) {
        if (!Empty(rows_[r][i])) DrawPanel(canvas, x, y, widths_[i], rows_[r][i]);
        x += widths_[i] + kMargin;
      }
      y += heights_[r] + kMargin + kCaptionLines * kLineHeight;
    }
    return canvas;
  }

 private:
  static int64_t Total(const std::vector<int64_t>& extents, int64_t gap) {
    int64_t total = kMargin;
    for (const int64_t extent : extents) total += extent + gap;
    return total;
  }

  // Canvas pixels per micrometre.
  double Scale() const {
    double widest_um = 0, scale = 1;
    for (const std::vector<Panel>& row : rows_) {
      for (const Panel& panel : row) {
        const double pixel_um = PixelSize(panel).first, width_um = pixel_um * static_cast<double>(panel.width);
        if (Empty(panel) || width_um <= widest_um) continue;
        widest_um = width_um;
        double enlarge = std::ceil(static_cast<double>(kSmallestWidth) / static_cast<double>(panel.width));
        if (panel.width > kLargestWidth)
          enlarge = static_cast<double>(kLargestWidth) / static_cast<double>(panel.width);
        scale = enlarge / pixel_um;
      }
    }
    return scale;
  }

  std::pair<int64_t, int64_t> Size(const Panel& panel) const {
    const auto [width_um, height_um] = PixelSize(panel);
    const auto pixels = [this](int64_t count, double size_um) {
      return std::llround(
          std::clamp(static_cast<double>(count) * size_um * scale_, 1.0, static_cast<double>(kLargestSide)));
    };
    return {pixels(panel.width, width_um), pixels(panel.height, height_um)};
  }

  void DrawPanel(Canvas& canvas, int64_t x, int64_t y, int64_t column_width, const Panel& panel) const {
    const auto [width, height] = Size(panel);
    const Contrast contrast = panel.contrast ? *panel.contrast : ContrastOf(panel);
    const auto letters = static_cast<size_t>(column_width / kCharacterWidth);
    canvas.Text(x, y, std::string_view(panel.title).substr(0, letters), kText);
    canvas.Text(x, y + kLineHeight, CaptionText(contrast).substr(0, letters), kFaint);
    y += kCaptionLines * kLineHeight;

    std::vector<float> values = panel.pixels;
    std::replace_if(
        values.begin(), values.end(), [](float value) { return !std::isfinite(value); }, contrast.black);
    canvas.Image(x, y, width, ToGrey(Resample(values, panel.width, width, height), contrast));
    if (panel.pixel_width_um > 0) DrawScaleBar(canvas, x + width, y + height, width, height);
  }

  // In the lower right corner of the panel that ends at `right`, `bottom`.
  void DrawScaleBar(Canvas& canvas, int64_t right, int64_t bottom, int64_t width, int64_t height) const {
    if (width < kBarPanelWidth || height < kBarPanelHeight) return;
    const double length_um = RoundLength(static_cast<double>(width) / scale_ / 4);
    const std::string label = fmt::format("{:g} um", length_um);
    const int64_t bar = std::llround(length_um * scale_), text = static_cast<int64_t>(label.size()) * kCharacterWidth;
    const int64_t box = std::max(bar, text) + 8, top = bottom - kLineHeight - kBarHeight - 8;
    canvas.Fill(right - box - 4, top - 4, box, bottom - top, kBlack);
    canvas.Text(right - 4 - box / 2 - text / 2, top, label, kWhite);
    canvas.Fill(right - 4 - box / 2 - bar / 2, top + kLineHeight - 2, bar, kBarHeight, kWhite);
  }

  const std::vector<std::vector<Panel>>& rows_;
  const double scale_;
  std::vector<int64_t> widths_, heights_;  // of columns and rows, in canvas pixels
};

absl::Status CheckPanels(const std::vector<std::vector<Panel>>& rows) {
  bool any = false;
  for (const std::vector<Panel>& row : rows) {
    for (const Panel& panel : row) {
      if (Empty(panel)) continue;
      any = true;
      if (panel.width > 0 && panel.height > 0 &&
          static_cast<int64_t>(panel.pixels.size()) == panel.width * panel.height)
        continue;
      return MakeError({.reason = v1::INVALID_FIELD},
                       fmt::format("the panel `{}` is {} x {}, but has {} pixels", panel.title, panel.width,
                                   panel.height, panel.pixels.size()));
    }
  }
  return any ? absl::OkStatus() : MakeError({.reason = v1::INVALID_FIELD}, "there is nothing to show in a picture");
}

}  // namespace

Contrast ContrastOf(const Panel& panel) {
  std::vector<float> values;
  std::copy_if(panel.pixels.begin(), panel.pixels.end(), std::back_inserter(values),
               [](float value) { return std::isfinite(value); });
  if (values.empty()) return {};
  const float black = *std::min_element(values.begin(), values.end());
  const auto rank = static_cast<int64_t>(kWhitePercentile * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  const float white = values[static_cast<size_t>(rank)];
  if (white > black) return {black, white};
  // A few bright pixels on an even ground lie above the percentile.
  return {black, *std::max_element(values.begin(), values.end())};
}

absl::Status WritePicture(const std::filesystem::path& path, const std::vector<std::vector<Panel>>& rows) {
  RETURN_IF_ERROR(CheckPanels(rows));
  const Composer composer(rows);
  if (composer.width() > kLargestSide || composer.height() > kLargestSide) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED, .remedy = "Show fewer or smaller stacks."},
                     fmt::format("the picture would have {} x {} pixels, more than {} on a side", composer.width(),
                                 composer.height(), kLargestSide));
  }
  return WritePng(path, composer.Draw());
}

}  // namespace deconvoy::client
