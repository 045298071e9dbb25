#include "worker/imaging/bad_pixels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <span>

namespace deconvoy::worker {
namespace {

constexpr float kOutstanding = 8;  // deviations
constexpr float kAlone = 0.2F;
constexpr float kAlwaysBright = 0.5F, kAlwaysDark = 0.25F;
constexpr double kClip = 4;  // deviations
constexpr int kClipRounds = 6;
constexpr size_t kMostGroups = 16, kPixelsOfGroup = 256;
constexpr float kLeastDeviation = 1e-6F;  // of the values themselves: rounding

constexpr size_t kStrip = 64;  // pixels of a row that are sorted side by side

// A value of each pixel of a strip.
using Strip = std::array<float, kStrip>;

void Exchange(Strip& low, Strip& high) {
  for (size_t k = 0; k < kStrip; ++k) {
    const float a = low[k], b = high[k];
    low[k] = std::min(a, b);
    high[k] = std::max(a, b);
  }
}

// Sorts the values of each pixel: rising from strip to strip. Batcher's merge exchange (Knuth, The Art of Computer
// Programming 3, 5.2.2, algorithm M).
void Sort(std::span<Strip> values) {
  const size_t n = values.size();
  for (size_t p = 1; p < n; p *= 2) {
    for (size_t k = p; k > 0; k /= 2) {
      for (size_t i = k % p; i + k < n; ++i) {
        if ((i - k % p) / k % 2 == 0 && i / (2 * p) == (i + k) / (2 * p)) Exchange(values[i], values[i + k]);
      }
    }
  }
}

// Values around a pixel, as far as they are in the image.
struct Neighbourhood {
  std::array<float, 16> values{};
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
  std::vector<Strip> series(planes);
  for (size_t begin = 0; begin < pixels; begin += kStrip) {
    const size_t count = std::min(kStrip, pixels - begin);
    for (size_t z = 0; z < planes; ++z) std::copy_n(values.begin() + z * pixels + begin, count, series[z].begin());
    Sort(series);
    for (size_t k = 0; k < count; ++k) {
      float sum = 0;
      for (size_t i = quarter; i <= last; ++i) sum += series[i][k];
      result.middle.values[begin + k] = sum / static_cast<float>(last + 1 - quarter);
      result.low.values[begin + k] = series[quarter][k];
    }
  }
  return result;
}

// The medians of the neighbours of `medians.size()` pixels side by side, at most kStrip, that all have eight.
void MediansInside(const float* first, int64_t columns, std::span<float> medians) {
  const std::ptrdiff_t row = columns;
  std::array<Strip, 8> around{};
  size_t filled = 0;
  for (const std::ptrdiff_t up : {-row, std::ptrdiff_t{0}, row}) {
    for (const std::ptrdiff_t left : {-1, 0, 1}) {
      if (up != 0 || left != 0) std::copy_n(first + up + left, medians.size(), around[filled++].begin());
    }
  }
  Sort(around);
  for (size_t k = 0; k < medians.size(); ++k) medians[k] = (around[3][k] + around[4][k]) / 2;
}

// The median of the neighbours of each pixel.
std::vector<float> MediansAround(const Image& image) {
  const auto columns = static_cast<size_t>(image.columns), rows = image.values.size() / columns;
  std::vector<float> medians(image.values.size());
  for (size_t y = 0; y < rows; ++y) {
    const size_t row = y * columns;
    const bool inside = y > 0 && y + 1 < rows;
    for (size_t x = 0; x < columns; x += inside ? columns - 1 : 1) medians[row + x] = image.MedianAround(row + x, 1);
    for (size_t x = 1; inside && x + 1 < columns; x += kStrip) {
      const size_t count = std::min(kStrip, columns - 1 - x);
      MediansInside(image.values.data() + row + x, image.columns, std::span(medians).subspan(row + x, count));
    }
  }
  return medians;
}

// Pixels cut into groups of about as many.
struct Groups {
  size_t pixels = 0, count = 0;
  size_t Begin(size_t group) const { return pixels * group / count; }
};

// Sorts `order` by value as far as it takes to have the groups from `first` to before `last` rise. REQUIRES: they have
// the values of their pixels, in any order.
void SortIntoGroups(std::span<const float> values, const Groups& groups, size_t first, size_t last,
                    std::span<uint32_t> order) {
  if (last - first < 2) return;
  const size_t middle = first + (last - first) / 2;
  const auto at = [&](size_t group) { return order.begin() + static_cast<std::ptrdiff_t>(groups.Begin(group)); };
  std::nth_element(at(first), at(middle), at(last),
                   [&values](uint32_t a, uint32_t b) { return values[a] < values[b]; });
  SortIntoGroups(values, groups, first, middle, order);
  SortIntoGroups(values, groups, middle, last, order);
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

using PlaneBits = uint32_t;

// The planes in which each pixel is known. The others get what it has in the nearest one before, or else after; a pixel
// that is known in none is 0.
std::vector<PlaneBits> FillGaps(size_t planes, std::span<float> values) {
  const size_t pixels = values.size() / planes;
  std::vector<PlaneBits> known(pixels);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) {
      known[i % pixels] |= PlaneBits{1} << (i / pixels);
    } else if (i >= pixels) {
      values[i] = values[i - pixels];
    }
  }
  for (size_t i = values.size() - pixels; i-- > 0;) {
    if (!std::isfinite(values[i])) values[i] = values[i + pixels];
  }
  for (float& value : values) {
    if (!std::isfinite(value)) value = 0;
  }
  return known;
}

// Whether a pixel is known in enough planes, and those as far as IsBad looks in the same ones.
bool CanBeJudged(std::span<const PlaneBits> known, size_t place, int64_t columns) {
  if (std::popcount(known[place]) < kLeastPlanesForBadPixels) return false;
  const auto at = static_cast<int64_t>(place), rows = static_cast<int64_t>(known.size()) / columns;
  const int64_t y = at / columns, x = at % columns;
  for (int64_t v = std::max<int64_t>(y - 2, 0); v <= std::min(y + 2, rows - 1); ++v) {
    for (int64_t u = std::max<int64_t>(x - 2, 0); u <= std::min(x + 2, columns - 1); ++u) {
      if (known[static_cast<size_t>(v * columns + u)] != known[place]) return false;
    }
  }
  return true;
}

// Fills in what is no number. The pixels that can be judged, rising.
std::vector<uint32_t> Prepare(size_t planes, int64_t columns, std::span<float> values) {
  std::vector<uint32_t> judged(values.size() / planes);
  std::iota(judged.begin(), judged.end(), 0U);
  if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) return judged;
  const std::vector<PlaneBits> known = FillGaps(planes, values);
  std::erase_if(judged, [&](uint32_t place) { return !CanBeJudged(known, place, columns); });
  return judged;
}

}  // namespace

std::vector<uint32_t> FindBadPixels(std::vector<float> values, int64_t planes, int64_t columns) {
  std::vector<uint32_t> order = Prepare(static_cast<size_t>(planes), columns, values);
  if (order.empty()) return order;
  const Pixels pixels = OverPlanes(values, static_cast<size_t>(planes), columns);
  const size_t count = pixels.middle.values.size();
  const std::vector<float> medians = MediansAround(pixels.middle);
  std::vector<float> e(count);
  for (size_t i = 0; i < count; ++i) e[i] = pixels.middle.values[i] - medians[i];
  const Groups groups{order.size(), std::clamp<size_t>(order.size() / kPixelsOfGroup, 1, kMostGroups)};
  SortIntoGroups(medians, groups, 0, groups.count, order);
  std::vector<uint32_t> found;
  for (size_t group = 0; group < groups.count; ++group) {
    const size_t begin = groups.Begin(group), end = groups.Begin(group + 1);
    const std::span<const uint32_t> members = std::span(order).subspan(begin, end - begin);
    const uint32_t brightest = *std::ranges::max_element(members, {}, [&medians](uint32_t i) { return medians[i]; });
    const float rounding = kLeastDeviation * std::abs(medians[brightest]);
    const float deviation = std::max(static_cast<float>(UsualOf(e, members).deviation), rounding);
    for (const uint32_t i : members) {
      if (IsBad(pixels, i, medians[i], deviation)) found.push_back(i);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace deconvoy::worker
