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

class Search {
 public:
  Search(std::span<const float> values, const Shape3& shape, const BeadRules& rules)
      : values_(values), shape_(shape), rules_(rules), smooth_(values.begin(), values.end()) {
    std::vector<float> copy(values.begin(), values.end());
    found_.background = Median(copy);
    for (float& v : copy) v = std::abs(v - static_cast<float>(found_.background));
    found_.noise = kMadToDeviation * Median(copy);
    double left = 1;
    for (const auto& [count, stride] :
         {std::pair{shape.x, int64_t{1}}, {shape.y, shape.x}, {shape.z, shape.y * shape.x}}) {
      SmoothAlong(count, stride, smooth_);
      if (count >= 3) left *= kSmoothing;
    }
    smooth_noise_ = left * found_.noise;
  }

  FoundBeads Run() && {
    const double brightest = static_cast<double>(*std::max_element(smooth_.begin(), smooth_.end())) - found_.background;
    const double least = found_.background + std::max(kNoises * smooth_noise_, kOfBrightest * brightest);
    for (int64_t z = 0; z < shape_.z; ++z) {
      for (int64_t y = 0; y < shape_.y; ++y) {
        for (int64_t x = 0; x < shape_.x; ++x) {
          if (static_cast<double>(At(z, y, x)) > least && IsPeak(z, y, x)) Add({z, y, x});
        }
      }
    }
    std::stable_sort(found_.beads.begin(), found_.beads.end(),
                     [](const Bead& a, const Bead& b) { return a.height > b.height; });
    for (Bead& bead : found_.beads) bead.rejected = WhyNot(bead);
    return std::move(found_);
  }

 private:
  float At(int64_t z, int64_t y, int64_t x) const {
    return smooth_[static_cast<size_t>((z * shape_.y + y) * shape_.x + x)];
  }
  float Raw(int64_t z, int64_t y, int64_t x) const {
    return values_[static_cast<size_t>((z * shape_.y + y) * shape_.x + x)];
  }

  // Above all neighbours; equal ones that come later in z,y,x order give way.
  bool IsPeak(int64_t z, int64_t y, int64_t x) const {
    const float here = At(z, y, x);
    for (int64_t k = std::max<int64_t>(z - 1, 0); k <= std::min(z + 1, shape_.z - 1); ++k) {
      for (int64_t j = std::max<int64_t>(y - 1, 0); j <= std::min(y + 1, shape_.y - 1); ++j) {
        for (int64_t i = std::max<int64_t>(x - 1, 0); i <= std::min(x + 1, shape_.x - 1); ++i) {
          const bool earlier = std::tuple(k, j, i) < std::tuple(z, y, x);
          if (At(k, j, i) > here || (earlier && At(k, j, i) == here)) return false;
        }
      }
    }
    return true;
  }

  void Add(const Voxel& peak) {
    Bead bead;
    bead.peak = peak;
    bead.height = static_cast<double>(At(peak.z, peak.y, peak.x)) - found_.background;
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
          if (Raw(z, y, x) >= rules_.saturation) ++count;
        }
      }
    }
    return count;
  }

  const std::span<const float> values_;
  const Shape3 shape_;
  const BeadRules& rules_;
  std::vector<float> smooth_;
  double smooth_noise_ = 0;
  FoundBeads found_;
};

}  // namespace

FoundBeads FindBeads(std::span<const float> values, const Shape3& shape, const BeadRules& rules) {
  return Search(values, shape, rules).Run();
}

}  // namespace deconvoy::worker
