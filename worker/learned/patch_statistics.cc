#include "worker/learned/patch_statistics.h"

#include <algorithm>
#include <cmath>

namespace deconvoy::worker::learned {
namespace {

constexpr double kLeast = 1e-3;           // in l(v)
constexpr double kLeastDeviation = 0.02;  // of a figure that hardly varies
constexpr double kUsualShare = 0.99;

double Log(double v) {
  return std::log(v + kLeast);
}

// Sums over a patch.
class Patch {
 public:
  Patch(std::span<const float> values, const Shape3& shape, const Voxel& origin, const Scale& scale)
      : values_(values), shape_(shape), origin_(origin), scale_(scale) {}

  Figures Measure() const {
    const Shape3& p = kStatisticsPatch;
    const auto n = static_cast<double>(p.voxels());
    double sum = 0;
    ForEach(p, [&](const Voxel& v) { sum += At(v); });
    const double mean = sum / n;
    double squares = 0, cubes = 0;
    ForEach(p, [&](const Voxel& v) {
      const double d = At(v) - mean;
      squares += d * d;
      cubes += d * d * d;
    });
    const double deviation = std::sqrt(squares / n);
    const auto first = [&](const Voxel& step) {
      return MeanOver(Less(step, 1), [&](const Voxel& v) { return std::abs(At(v + step) - At(v)); });
    };
    const auto second = [&](const Voxel& step) {
      return MeanOver(Less(step, 2),
                      [&](const Voxel& v) { return std::abs(At(v + step + step) - 2 * At(v + step) + At(v)); });
    };
    constexpr Voxel kZ{1, 0, 0}, kY{0, 1, 0}, kX{0, 0, 1};
    const double neighbours =
        MeanOver(Less(kX, 1), [&](const Voxel& v) { return (At(v + kX) - mean) * (At(v) - mean); });
    const double size = std::max(deviation, kLeast);
    return {mean,
            Log(deviation),
            cubes / n / (size * size * size),
            Log(first(kZ)),
            Log(first(kY)),
            Log(first(kX)),
            Log(second(kY)),
            Log(second(kX)),
            neighbours / (size * size)};
  }

 private:
  double At(const Voxel& v) const {
    const Voxel at = origin_ + v;
    return (values_[static_cast<size_t>((at.z * shape_.y + at.y) * shape_.x + at.x)] - scale_.offset) / scale_.range;
  }
  static Shape3 Less(const Voxel& step, int64_t times) {
    const Shape3& p = kStatisticsPatch;
    return {p.z - times * step.z, p.y - times * step.y, p.x - times * step.x};
  }
  template <typename Visit>
  static void ForEach(const Shape3& box, const Visit& visit) {
    for (int64_t z = 0; z < box.z; ++z) {
      for (int64_t y = 0; y < box.y; ++y) {
        for (int64_t x = 0; x < box.x; ++x) visit(Voxel{z, y, x});
      }
    }
  }
  template <typename Value>
  static double MeanOver(const Shape3& box, const Value& value) {
    double sum = 0;
    ForEach(box, [&](const Voxel& v) { sum += value(v); });
    return sum / static_cast<double>(box.voxels());
  }

  const std::span<const float> values_;
  const Shape3 shape_;
  const Voxel origin_;
  const Scale scale_;
};

// Root of the mean square of what a patch's figures are away from the usual, in deviations.
double Distance(const Figures& patch, const PatchStatistics& statistics) {
  double squares = 0;
  for (size_t i = 0; i < patch.size(); ++i) {
    const double away = (patch[i] - statistics.mean[i]) / statistics.deviation[i];
    squares += away * away;
  }
  return std::sqrt(squares / static_cast<double>(patch.size()));
}

}  // namespace

std::vector<Figures> FiguresOfPatches(std::span<const float> values, const Shape3& shape, const Scale& scale) {
  std::vector<Figures> all;
  const Shape3& p = kStatisticsPatch;
  for (int64_t z = 0; z + p.z <= shape.z; z += p.z) {
    for (int64_t y = 0; y + p.y <= shape.y; y += p.y) {
      for (int64_t x = 0; x + p.x <= shape.x; x += p.x) {
        all.push_back(Patch(values, shape, {z, y, x}, scale).Measure());
      }
    }
  }
  return all;
}

PatchStatistics Summarise(std::span<const Figures> patches) {
  PatchStatistics statistics;
  const auto n = static_cast<double>(patches.size());
  for (size_t i = 0; i < statistics.mean.size(); ++i) {
    double sum = 0, squares = 0;
    for (const Figures& patch : patches) sum += patch[i];
    statistics.mean[i] = sum / n;
    for (const Figures& patch : patches) squares += std::pow(patch[i] - statistics.mean[i], 2);
    statistics.deviation[i] = std::max(std::sqrt(squares / n), kLeastDeviation);
  }
  std::vector<double> distances;
  for (const Figures& patch : patches) distances.push_back(Distance(patch, statistics));
  std::sort(distances.begin(), distances.end());
  const auto usual = static_cast<size_t>(kUsualShare * (n - 1));
  statistics.threshold = std::max(distances[usual], kLeastDeviation);
  return statistics;
}

double Strangeness(const Figures& patch, const PatchStatistics& statistics) {
  return Distance(patch, statistics) / statistics.threshold;
}

}  // namespace deconvoy::worker::learned
