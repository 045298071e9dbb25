#include "client/cli/figures/resample.h"

#include <algorithm>
#include <cmath>

namespace deconvoy::client {
namespace {

// `lines` lines of `extent` values, values `step` and lines `line_step` apart, to lines of `new_extent`; the output's
// lines lie apart as `new_line_step`.
struct Axis {
  int64_t lines, line_step, extent, step;
  int64_t new_extent, new_line_step;
};

std::vector<float> ResampleAxis(const std::vector<float>& source, const Axis& axis) {
  std::vector<float> target(static_cast<size_t>(axis.lines * axis.new_extent));
  const double scale = static_cast<double>(axis.extent) / static_cast<double>(axis.new_extent);
  const double reach = std::max(1.0, scale);
  for (int64_t i = 0; i < axis.new_extent; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
    const auto first = static_cast<int64_t>(std::ceil(centre - reach)),
               last = static_cast<int64_t>(std::floor(centre + reach));
    for (int64_t line = 0; line < axis.lines; ++line) {
      double sum = 0, weights = 0;
      for (int64_t j = first; j <= last; ++j) {
        const double weight = 1 - std::abs(static_cast<double>(j) - centre) / reach;
        const int64_t inside = std::clamp<int64_t>(j, 0, axis.extent - 1);
        sum += weight * source[static_cast<size_t>(line * axis.line_step + inside * axis.step)];
        weights += weight;
      }
      target[static_cast<size_t>(line * axis.new_line_step + i * axis.step)] = static_cast<float>(sum / weights);
    }
  }
  return target;
}

}  // namespace

std::vector<float> Resample(const std::vector<float>& image, int64_t width, int64_t new_width, int64_t new_height) {
  const int64_t height = static_cast<int64_t>(image.size()) / width;
  const std::vector<float> wide = ResampleAxis(image, {height, width, width, 1, new_width, new_width});
  return ResampleAxis(wide, {new_width, 1, height, new_width, new_height, 1});
}

}  // namespace deconvoy::client
