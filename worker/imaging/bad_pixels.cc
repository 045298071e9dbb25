#include "worker/imaging/bad_pixels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <numeric>

namespace deconvoy::worker {
namespace {

constexpr float kOutstanding = 8;  // deviations
constexpr float kAlone = 0.2F;
constexpr float kAlwaysBright = 0.5F, kAlwaysDark = 0.25F;
constexpr double kClip = 4;  // deviations
constexpr int kClipRounds = 6;
constexpr size_t kMostGroups = 16, kPixelsOfGroup = 256;
constexpr float kLeastDeviation = 1e-6F;  // of the values themselves: rounding

// Values around a pixel, as far as they are in the image.
struct Neighbourhood {
  std::array<float, 16> values;
  size_t count = 0;

  void Add(float v) { values[count++] = v; }
  float Median() {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(count / 2);
    std::nth_element(values.begin(), middle, values.begin() + static_cast<std::ptrdiff_t>(count));
    if (count % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
  }
};

struct Image {
  std::vector<float> values;
  int64_t columns = 0;

  // The median of the pixels at the distance `radius` from one, the larger of those in rows and columns.
  float MedianAround(size_t place, int64_t radius) const {
    const auto at = static_cast<int64_t>(place), rows = static_cast<int64_t>(values.size()) / columns;
    const int64_t y = at / columns, x = at % columns;
    Neighbourhood around;
    for (int64_t v = std::max<int64_t>(y - radius, 0); v <= std::min(y + radius, rows - 1); ++v) {
      const bool edge = std::abs(v - y) == radius;
      for (int64_t u = x - radius; u <= x + radius; u += edge ? 1 : 2 * radius) {
        if (u >= 0 && u < columns) around.Add(values[static_cast<size_t>(v * columns + u)]);
      }
    }
    return around.Median();
  }
};

// Mean and deviation without outliers.
struct Usual {
  double mean = 0, deviation = 0;
};

Usual UsualOf(std::span<const float> e, std::span<const uint32_t> pixels) {
  Usual usual{0, HUGE_VAL};
  for (int round = 0; round < kClipRounds; ++round) {
    double sum = 0, squares = 0, n = 0;
    for (const uint32_t i : pixels) {
      if (std::abs(e[i] - usual.mean) > kClip * usual.deviation) continue;
      sum += e[i];
      squares += static_cast<double>(e[i]) * e[i];
      ++n;
    }
    if (n == 0) break;
    usual.mean = sum / n;
    usual.deviation = std::sqrt(std::max(squares / n - usual.mean * usual.mean, 0.0));
  }
  return usual;
}

// What the planes tell of each pixel.
struct Pixels {
  Image middle;  // M
  Image low;     // L
};

Pixels OverPlanes(std::span<const float> values, size_t planes, int64_t columns) {
  const size_t pixels = values.size() / planes, quarter = planes / 4, last = planes - 1 - quarter;
  Pixels result{{std::vector<float>(pixels), columns}, {std::vector<float>(pixels), columns}};
  std::vector<float> series(planes);
  const auto at = [&series](size_t i) { return series.begin() + static_cast<std::ptrdiff_t>(i); };
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (size_t z = 0; z < planes; ++z) series[z] = values[z * pixels + pixel];
    std::nth_element(at(0), at(quarter), series.end());
    std::nth_element(at(quarter + 1), at(last), series.end());
    const float sum = std::accumulate(at(quarter), at(last + 1), 0.0F);
    result.middle.values[pixel] = sum / static_cast<float>(last + 1 - quarter);
    result.low.values[pixel] = series[quarter];
  }
  return result;
}

// `median` of the neighbours.
bool IsBad(const Pixels& pixels, size_t place, float median, float deviation) {
  const float here = pixels.middle.values[place], e = here - median;
  if (!(std::abs(e) > kOutstanding * deviation)) return false;
  const float ring = pixels.middle.MedianAround(place, 2);
  if (std::abs(median - ring) >= kAlone * std::abs(here - ring)) return false;
  const float low = pixels.low.values[place] - pixels.low.MedianAround(place, 1);
  return e > 0 ? low >= kAlwaysBright * e : low <= kAlwaysDark * e;
}

}  // namespace

std::vector<uint32_t> FindBadPixels(std::span<const float> values, int64_t planes, int64_t columns) {
  const Pixels pixels = OverPlanes(values, static_cast<size_t>(planes), columns);
  const size_t count = pixels.middle.values.size();
  std::vector<float> medians(count), e(count);
  for (size_t i = 0; i < count; ++i) {
    medians[i] = pixels.middle.MedianAround(i, 1);
    e[i] = pixels.middle.values[i] - medians[i];
  }
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&medians](uint32_t a, uint32_t b) { return medians[a] < medians[b]; });
  std::vector<uint32_t> found;
  const size_t groups = std::clamp<size_t>(count / kPixelsOfGroup, 1, kMostGroups);
  for (size_t group = 0; group < groups; ++group) {
    const size_t begin = count * group / groups, end = count * (group + 1) / groups;
    const std::span<const uint32_t> members = std::span(order).subspan(begin, end - begin);
    const float rounding = kLeastDeviation * std::abs(medians[members.back()]);
    const float deviation = std::max(static_cast<float>(UsualOf(e, members).deviation), rounding);
    for (const uint32_t i : members) {
      if (IsBad(pixels, i, medians[i], deviation)) found.push_back(i);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace deconvoy::worker
