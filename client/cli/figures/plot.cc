#include "client/cli/figures/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace deconvoy::client {
namespace {

constexpr int64_t kWidth = 900, kHeight = 480;  // of the axes' box
constexpr int64_t kLeft = 130, kRight = 30, kBelow = 70, kMargin = 14;
constexpr uint8_t kPaper = 255, kInk = 0, kGrid = 215;
constexpr int64_t kSteps = 5;         // of an axis, about
constexpr double kLeastRange = 1e-9;  // of the values; below it they are one value, and steps would be lost to rounding
constexpr int64_t kSample = 60;       // of a line in the legend
constexpr int64_t kStroke = 3;

// Pixels drawn and left out in turn; all drawn where both are 0.
struct Dash {
  int64_t on = 0, off = 0;
  uint8_t grey = kInk;
};
constexpr std::array<Dash, 6> kDashes = {{{0, 0, 150}, {0, 0, 0}, {12, 8, 0}, {3, 6, 0}, {12, 8, 150}, {3, 6, 150}}};

// The values along an axis, and where they lie on the canvas.
struct Axis {
  double least = 0, greatest = 0, step = 1;
  int64_t begin = 0, end = 0;  // pixels of least and greatest

  double At(double value) const {
    return static_cast<double>(begin) + (value - least) / (greatest - least) * static_cast<double>(end - begin);
  }
};

// 1, 2 or 5 times a power of ten, so that about kSteps of them make `range`.
double RoundStep(double range) {
  const double raw = range / static_cast<double>(kSteps), decade = std::pow(10, std::floor(std::log10(raw)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * decade >= raw) return step * decade;
  }
  return 10 * decade;
}

Axis MakeAxis(const std::vector<Curve>& curves, std::vector<double> Curve::*values, int64_t begin, int64_t end) {
  double least = (curves[0].*values)[0], greatest = least;
  for (const Curve& curve : curves) {
    const auto [low, high] = std::minmax_element((curve.*values).begin(), (curve.*values).end());
    least = std::min(least, *low);
    greatest = std::max(greatest, *high);
  }
  const double size = std::max(std::abs(least), std::abs(greatest));
  if (!(greatest - least > kLeastRange * size)) greatest = least + std::max(std::abs(least), 1.0);
  return {least, greatest, RoundStep(greatest - least), begin, end};
}

// A line of points, of which some are left out.
class Pen {
 public:
  Pen(Canvas& canvas, const Dash& dash) : canvas_(canvas), dash_(dash) {}

  void Line(double x0, double y0, double x1, double y1) {
    const auto points = std::max<int64_t>(std::llround(std::max(std::abs(x1 - x0), std::abs(y1 - y0))), 1);
    for (int64_t i = 0; i < points; ++i, ++drawn_) {
      if (dash_.off > 0 && drawn_ % (dash_.on + dash_.off) >= dash_.on) continue;
      const double share = static_cast<double>(i) / static_cast<double>(points);
      canvas_.Fill(std::llround(x0 + share * (x1 - x0)) - kStroke / 2,
                   std::llround(y0 + share * (y1 - y0)) - kStroke / 2, kStroke, kStroke, dash_.grey);
    }
  }

 private:
  Canvas& canvas_;
  const Dash& dash_;
  int64_t drawn_ = 0;
};

int64_t TextWidth(std::string_view text) {
  return static_cast<int64_t>(text.size()) * kCharacterWidth;
}

std::string Number(double value, double step) {
  return fmt::format("{:.5g}", std::abs(value) < step / 1000 ? 0 : value);
}

void DrawAxes(Canvas& canvas, const Plot& plot, const Axis& x, const Axis& y) {
  for (double v = std::ceil(x.least / x.step) * x.step; v <= x.greatest; v += x.step) {
    const auto at = std::llround(x.At(v));
    const std::string number = Number(v, x.step);
    canvas.Fill(at, y.end, 1, y.begin - y.end, kGrid);
    canvas.Text(at - TextWidth(number) / 2, y.begin + 8, number, kInk);
  }
  for (double v = std::ceil(y.least / y.step) * y.step; v <= y.greatest; v += y.step) {
    const auto at = std::llround(y.At(v));
    const std::string number = Number(v, y.step);
    canvas.Fill(x.begin, at, x.end - x.begin, 1, kGrid);
    canvas.Text(x.begin - 10 - TextWidth(number), at - kLineHeight / 2, number, kInk);
  }
  canvas.Fill(x.begin, y.begin, x.end - x.begin, 2, kInk);
  canvas.Fill(x.begin - 2, y.end, 2, y.begin - y.end + 2, kInk);
  canvas.Text((x.begin + x.end - TextWidth(plot.x_title)) / 2, y.begin + 8 + kLineHeight + 8, plot.x_title, kInk);
  canvas.Text(kMargin, y.end - kLineHeight - 6, plot.y_title, kInk);
}

void DrawCurve(Canvas& canvas, const Curve& curve, const Dash& dash, const Axis& x, const Axis& y) {
  Pen pen(canvas, dash);
  for (size_t i = 0; i + 1 < curve.x.size(); ++i)
    pen.Line(x.At(curve.x[i]), y.At(curve.y[i]), x.At(curve.x[i + 1]), y.At(curve.y[i + 1]));
}

}  // namespace

Canvas Draw(const Plot& plot) {
  const auto legend = static_cast<int64_t>(plot.curves.size()) * kLineHeight;
  const int64_t top = kMargin + legend + kLineHeight + 16;
  Canvas canvas(kLeft + kWidth + kRight, top + kHeight + kBelow, kPaper);
  const Axis x = MakeAxis(plot.curves, &Curve::x, kLeft, kLeft + kWidth);
  const Axis y = MakeAxis(plot.curves, &Curve::y, top + kHeight, top);
  DrawAxes(canvas, plot, x, y);
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const Dash& dash = kDashes[i % kDashes.size()];
    const int64_t row = kMargin + static_cast<int64_t>(i) * kLineHeight, middle = row + kLineHeight / 2 - 2;
    Pen(canvas, dash).Line(kLeft, static_cast<double>(middle), kLeft + kSample, static_cast<double>(middle));
    canvas.Text(kLeft + kSample + 12, row, plot.curves[i].name, kInk);
    DrawCurve(canvas, plot.curves[i], dash, x, y);
  }
  return canvas;
}

Canvas Draw(const std::vector<Plot>& plots) {
  std::vector<Canvas> parts;
  int64_t width = 0, height = 0;
  for (const Plot& plot : plots) {
    const Canvas& part = parts.emplace_back(Draw(plot));
    width = std::max(width, part.width());
    height += part.height();
  }
  Canvas canvas(width, height, kPaper);
  int64_t top = 0;
  for (const Canvas& part : parts) {
    canvas.Image(0, top, part.width(), part.pixels());
    top += part.height();
  }
  return canvas;
}

}  // namespace deconvoy::client
