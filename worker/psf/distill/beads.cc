#include "worker/psf/distill/beads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <tuple>
#include <utility>

namespace deconvoy::worker {
namespace {

constexpr double kNoises = 6;
constexpr double kOfBrightest = 0.03;
constexpr double kClumpHeight = 0.15;
constexpr int64_t kClumpDistance = 3;
constexpr double kMadToDeviation = 1.4826;
constexpr double kSigmaToFwhm = 2.3548200;
constexpr double kSmoothing = 0.6123724;  // sqrt(1/4 + 2/16): what is left of noise along one smoothed axis

double Median(std::vector<float>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

// 1/4, 1/2, 1/4 along one axis; ends are repeated.
void SmoothAlong(int64_t count, int64_t stride, std::vector<float>& values) {
  if (count < 3) return;
  const auto total = static_cast<int64_t>(values.size());
  const std::vector<float> source = values;
  for (int64_t i = 0; i < total; ++i) {
    const int64_t place = i / stride % count;
    const int64_t before = place > 0 ? i - stride : i, after = place + 1 < count ? i + stride : i;
    values[static_cast<size_t>(i)] = 0.25F * source[static_cast<size_t>(before)] +
                                     0.5F * source[static_cast<size_t>(i)] + 0.25F * source[static_cast<size_t>(after)];
  }
}

// Weights of a Gaussian at the voxels around its middle, of sum 1.
std::vector<float> GaussianRow(double sigma) {
  const auto reach = static_cast<int64_t>(std::ceil(4 * sigma));
  std::vector<float> row;
  double sum = 0;
  for (int64_t i = -reach; i <= reach; ++i) {
    const double place = static_cast<double>(i) / sigma;
    row.push_back(static_cast<float>(std::exp(-place * place / 2)));
    sum += static_cast<double>(row.back());
  }
  for (float& weight : row) weight = static_cast<float>(static_cast<double>(weight) / sum);
  return row;
}

// Along one axis of one plane, or of all; ends are repeated.
void BlurAlong(int64_t count, int64_t stride, const std::vector<float>& row, std::vector<float>& values) {
  const auto total = static_cast<int64_t>(values.size()), reach = static_cast<int64_t>(row.size()) / 2;
  const std::vector<float> source = values;
  for (int64_t i = 0; i < total; ++i) {
    const int64_t place = i / stride % count, first = i - place * stride;
    float sum = 0;
    for (int64_t k = -reach; k <= reach; ++k) {
      const int64_t at = std::clamp<int64_t>(place + k, 0, count - 1);
      sum += row[static_cast<size_t>(k + reach)] * source[static_cast<size_t>(first + at * stride)];
    }
    values[static_cast<size_t>(i)] = sum;
  }
}

// Minus the Laplacian over y and x, times `factor`; ends are repeated.
std::vector<float> Sharpened(const std::vector<float>& values, const Shape3& shape, float factor) {
  std::vector<float> sharp(values.size());
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    const int64_t x = i % shape.x, y = i / shape.x % shape.y;
    const auto at = [&](int64_t place) { return values[static_cast<size_t>(place)]; };
    const float left = at(x > 0 ? i - 1 : i), right = at(x + 1 < shape.x ? i + 1 : i);
    const float above = at(y > 0 ? i - shape.x : i), below = at(y + 1 < shape.y ? i + shape.x : i);
    sharp[static_cast<size_t>(i)] = factor * (4 * at(i) - left - right - above - below);
  }
  return sharp;
}

class Search {
 public:
  Search(std::span<const float> values, const Shape3& shape, const BeadRules& rules)
      : values_(values), shape_(shape), rules_(rules), smooth_(values.begin(), values.end()) {
    std::tie(found_.background, found_.noise) = Level(smooth_);
    double left = 1;
    if (rules.search_fwhm > 0) sharp_ = smooth_;
    for (const auto& [count, stride] :
         {std::pair{shape.x, int64_t{1}}, {shape.y, shape.x}, {shape.z, shape.y * shape.x}}) {
      SmoothAlong(count, stride, smooth_);
      if (count >= 3) left *= kSmoothing;
    }
    level_ = found_.background;
    level_noise_ = left * found_.noise;
    if (rules.search_fwhm > 0) Sharpen(rules.search_fwhm / kSigmaToFwhm);
  }

  FoundBeads Run() && {
    const std::vector<float>& searched = Searched();
    const double brightest = static_cast<double>(*std::max_element(searched.begin(), searched.end())) - level_;
    const double least = level_ + std::max(kNoises * level_noise_, kOfBrightest * brightest);
    for (int64_t z = 0; z < shape_.z; ++z) {
      for (int64_t y = 0; y < shape_.y; ++y) {
        for (int64_t x = 0; x < shape_.x; ++x) {
          if (static_cast<double>(At(searched, z, y, x)) > least && IsPeak(z, y, x)) Add({z, y, x});
        }
      }
    }
    std::stable_sort(found_.beads.begin(), found_.beads.end(),
                     [](const Bead& a, const Bead& b) { return a.height > b.height; });
    for (Bead& bead : found_.beads) bead.rejected = WhyNot(bead);
    return std::move(found_);
  }

 private:
  // Median, and noise about it.
  static std::pair<double, double> Level(std::vector<float> values) {
    const double median = Median(values);
    for (float& v : values) v = std::abs(v - static_cast<float>(median));
    return {median, kMadToDeviation * Median(values)};
  }

  void Sharpen(double sigma) {
    SmoothAlong(shape_.z, shape_.y * shape_.x, sharp_);
    const std::vector<float> row = GaussianRow(sigma);
    BlurAlong(shape_.x, 1, row, sharp_);
    BlurAlong(shape_.y, shape_.x, row, sharp_);
    sharp_ = Sharpened(sharp_, shape_, static_cast<float>(sigma * sigma));
    std::tie(level_, level_noise_) = Level(sharp_);
  }

  // Where beads are looked for.
  const std::vector<float>& Searched() const { return sharp_.empty() ? smooth_ : sharp_; }

  float At(std::span<const float> values, int64_t z, int64_t y, int64_t x) const {
    return values[static_cast<size_t>((z * shape_.y + y) * shape_.x + x)];
  }

  // Above all neighbours; equal ones that come later in z,y,x order give way.
  bool IsPeak(int64_t z, int64_t y, int64_t x) const {
    const std::vector<float>& searched = Searched();
    const float here = At(searched, z, y, x);
    for (int64_t k = std::max<int64_t>(z - 1, 0); k <= std::min(z + 1, shape_.z - 1); ++k) {
      for (int64_t j = std::max<int64_t>(y - 1, 0); j <= std::min(y + 1, shape_.y - 1); ++j) {
        for (int64_t i = std::max<int64_t>(x - 1, 0); i <= std::min(x + 1, shape_.x - 1); ++i) {
          const bool earlier = std::tuple(k, j, i) < std::tuple(z, y, x);
          const float other = At(searched, k, j, i);
          if (other > here || (earlier && other == here)) return false;
        }
      }
    }
    return true;
  }

  void Add(const Voxel& peak) {
    Bead bead;
    bead.peak = peak;
    bead.height = static_cast<double>(At(smooth_, peak.z, peak.y, peak.x)) - found_.background;
    bead.snr = found_.noise > 0 ? bead.height / found_.noise : 1e9;
    found_.beads.push_back(bead);
  }

  Voxel Half() const { return {rules_.box.z / 2, rules_.box.y / 2, rules_.box.x / 2}; }

  std::string WhyNot(const Bead& bead) const {
    const Voxel h = Half(), p = bead.peak;
    if (p.z < h.z || p.y < h.y || p.x < h.x || p.z + h.z >= shape_.z || p.y + h.y >= shape_.y ||
        p.x + h.x >= shape_.x) {
      return "cut by an end of the stack";
    }
    if (const int64_t saturated = Saturated(bead); saturated > 0) {
      return fmt::format("saturated in {} voxels", saturated);
    }
    if (bead.snr < rules_.least_snr) return fmt::format("too dim: {:.1f} times the noise", bead.snr);
    for (const Bead& other : found_.beads) {
      const Voxel q = other.peak;
      const bool inside = std::abs(q.z - p.z) <= h.z && std::abs(q.y - p.y) <= h.y && std::abs(q.x - p.x) <= h.x;
      const bool aside = std::max(std::abs(q.y - p.y), std::abs(q.x - p.x)) >= kClumpDistance;
      if (inside && aside && other.height >= kClumpHeight * bead.height) {
        return fmt::format("in a clump: another bead at {},{},{}", q.z, q.y, q.x);
      }
    }
    return "";
  }

  // Of the voxels around its peak.
  int64_t Saturated(const Bead& bead) const {
    if (!(rules_.saturation > 0)) return 0;
    const Voxel p = bead.peak;
    int64_t count = 0;
    for (int64_t z = std::max<int64_t>(p.z - 1, 0); z <= std::min(p.z + 1, shape_.z - 1); ++z) {
      for (int64_t y = std::max<int64_t>(p.y - 1, 0); y <= std::min(p.y + 1, shape_.y - 1); ++y) {
        for (int64_t x = std::max<int64_t>(p.x - 1, 0); x <= std::min(p.x + 1, shape_.x - 1); ++x) {
          if (At(values_, z, y, x) >= rules_.saturation) ++count;
        }
      }
    }
    return count;
  }

  const std::span<const float> values_;
  const Shape3 shape_;
  const BeadRules& rules_;
  std::vector<float> smooth_;
  std::vector<float> sharp_;  // empty where no width is looked for
  double level_ = 0;          // median of what is searched
  double level_noise_ = 0;
  FoundBeads found_;
};

}  // namespace

FoundBeads FindBeads(std::span<const float> values, const Shape3& shape, const BeadRules& rules) {
  return Search(values, shape, rules).Run();
}

}  // namespace deconvoy::worker
