#include "worker/psf/distill/average.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "proto/contract/distillation.h"

namespace deconvoy::worker {
namespace {

using Place = std::array<double, 3>;  // z, y, x in voxels

constexpr int kRounds = 3;
constexpr double kLeastCorrelation = 0.8;
constexpr double kCorrelationSpread = 0.1;
constexpr size_t kTrimmedFrom = 5;
constexpr int64_t kReach = 3;  // of the centroid from the peak
constexpr double kMadToDeviation = 1.4826;

// Weights of the four voxels around a place `t` of the way from the second to the third.
std::array<double, 4> Cubic(double t) {
  return {t * (-0.5 + t * (1 - 0.5 * t)), 1 + t * t * (-2.5 + 1.5 * t), t * (0.5 + t * (2 - 1.5 * t)),
          t * t * (-0.5 + 0.5 * t)};
}

struct Stack {
  std::span<const float> values;
  Shape3 shape;

  double At(int64_t z, int64_t y, int64_t x) const {
    z = std::clamp<int64_t>(z, 0, shape.z - 1);
    y = std::clamp<int64_t>(y, 0, shape.y - 1);
    x = std::clamp<int64_t>(x, 0, shape.x - 1);
    return static_cast<double>(values[static_cast<size_t>((z * shape.y + y) * shape.x + x)]);
  }
};

// The box of values around `centre`, which lies between voxels, so that it comes to lie on the box's middle voxel.
std::vector<float> CutOut(const Stack& stack, const Place& centre, const Shape3& box) {
  const std::array<int64_t, 3> half = {box.z / 2, box.y / 2, box.x / 2};
  std::array<int64_t, 3> first;
  std::array<std::array<double, 4>, 3> weights;
  for (size_t axis = 0; axis < 3; ++axis) {
    const double whole = std::floor(centre[axis]);
    first[axis] = static_cast<int64_t>(whole) - half[axis] - 1;
    weights[axis] = Cubic(centre[axis] - whole);
  }
  std::vector<float> cut(static_cast<size_t>(box.voxels()));
  float* to = cut.data();
  for (int64_t z = 0; z < box.z; ++z) {
    for (int64_t y = 0; y < box.y; ++y) {
      for (int64_t x = 0; x < box.x; ++x) {
        double sum = 0;
        for (int k = 0; k < 4; ++k) {
          for (int j = 0; j < 4; ++j) {
            double row = 0;
            for (int i = 0; i < 4; ++i) {
              row +=
                  weights[2][static_cast<size_t>(i)] * stack.At(first[0] + z + k, first[1] + y + j, first[2] + x + i);
            }
            sum += weights[0][static_cast<size_t>(k)] * weights[1][static_cast<size_t>(j)] * row;
          }
        }
        *to++ = static_cast<float>(sum);
      }
    }
  }
  return cut;
}

// The values at the rims of all planes.
std::vector<float> Rim(const Shape3& box, std::span<const float> cut) {
  std::vector<float> rim;
  for (int64_t z = 0; z < box.z; ++z) {
    for (int64_t y = 0; y < box.y; ++y) {
      for (int64_t x = 0; x < box.x; ++x) {
        const bool outside = y == 0 || y == box.y - 1 || x == 0 || x == box.x - 1;
        if (outside) rim.push_back(cut[static_cast<size_t>((z * box.y + y) * box.x + x)]);
      }
    }
  }
  return rim;
}

float Median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Takes the median of the rim away, and makes the sum 1.
void Normalise(const Shape3& box, std::vector<float>& cut) {
  const float background = Median(Rim(box, cut));
  double sum = 0;
  for (float& v : cut) sum += static_cast<double>(v -= background);
  if (sum <= 0) return;
  for (float& v : cut) v = static_cast<float>(static_cast<double>(v) / sum);
}

double SignalToNoise(const Shape3& box, std::span<const float> psf) {
  std::vector<float> rim = Rim(box, psf);
  const float level = Median(rim);
  for (float& v : rim) v = std::abs(v - level);
  const double noise = kMadToDeviation * static_cast<double>(Median(std::move(rim)));
  return noise > 0 ? static_cast<double>(*std::max_element(psf.begin(), psf.end())) / noise : 1e9;
}

double Residual(std::span<const float> cut, std::span<const float> average) {
  double difference = 0, whole = 0;
  for (size_t i = 0; i < cut.size(); ++i) {
    const auto a = static_cast<double>(average[i]), d = static_cast<double>(cut[i]) - a;
    difference += d * d;
    whole += a * a;
  }
  return std::sqrt(difference / whole);
}

double Correlation(std::span<const float> a, std::span<const float> b) {
  const auto mean = [](std::span<const float> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  const double mean_a = mean(a), mean_b = mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = static_cast<double>(a[i]) - mean_a, db = static_cast<double>(b[i]) - mean_b;
    ab += da * db, aa += da * da, bb += db * db;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

// The centroid of what lies above half the height around the peak, which is the patch's middle.
Place FirstPlace(const Stack& stack, double background) {
  const Voxel p{stack.shape.z / 2, stack.shape.y / 2, stack.shape.x / 2};
  const double half = stack.At(p.z, p.y, p.x) - background;
  double sum = 0;
  Place place = {0, 0, 0};
  for (int64_t z = p.z - kReach; z <= p.z + kReach; ++z) {
    for (int64_t y = p.y - kReach; y <= p.y + kReach; ++y) {
      for (int64_t x = p.x - kReach; x <= p.x + kReach; ++x) {
        const double light = stack.At(z, y, x) - background - half / 2;
        if (!(light > 0)) continue;
        sum += light;
        place[0] += light * static_cast<double>(z);
        place[1] += light * static_cast<double>(y);
        place[2] += light * static_cast<double>(x);
      }
    }
  }
  if (!(sum > 0)) return {static_cast<double>(p.z), static_cast<double>(p.y), static_cast<double>(p.x)};
  for (double& along : place) along /= sum;
  return place;
}

// At one voxel.
double MeanOf(BeadMean mean, std::vector<float>& column) {
  const size_t count = column.size();
  size_t dropped = 0;  // at both ends
  if (mean == BeadMean::kTrimmed && count >= kTrimmedFrom) dropped = count / 5;
  if (mean == BeadMean::kMedian) dropped = (count - 1) / 2;
  if (dropped > 0) std::sort(column.begin(), column.end());
  const auto begin = column.begin() + static_cast<std::ptrdiff_t>(dropped);
  const auto end = column.end() - static_cast<std::ptrdiff_t>(dropped);
  return std::accumulate(begin, end, 0.0) / static_cast<double>(end - begin);
}

class Average {
 public:
  Average(const std::vector<BeadPatch>& patches, const Shape3& box, BeadMean mean, std::vector<Bead>& beads)
      : patches_(patches), box_(box), mean_(mean), beads_(beads) {
    for (size_t i = 0; i < patches.size(); ++i) {
      used_.push_back(i);
      places_.push_back(FirstPlace(StackOf(i), patches[i].background));
    }
  }

  DistilledPsf Run() {
    DistilledPsf psf{.values = {}, .fits = std::vector<BeadFit>(beads_.size())};
    if (used_.empty()) return psf;
    CutAll();
    for (int round = 0; round < kRounds; ++round) {
      const std::vector<float> average = Mean();
      for (size_t i = 0; i < used_.size(); ++i) Improve(average, i);
      CutAll();
    }
    psf.values = Mean();
    if (LeaveOut(Correlations(psf.values))) psf.values = Mean();
    for (size_t i = 0; i < used_.size(); ++i) {
      psf.fits[patches_[used_[i]].bead] = {Correlation(cuts_[i], psf.values), Residual(cuts_[i], psf.values)};
    }
    psf.snr = SignalToNoise(box_, psf.values);
    return psf;
  }

 private:
  Stack StackOf(size_t i) const { return {patches_[i].values, BeadPatchShape(box_)}; }

  std::vector<float> Cut(size_t i, const Place& place) const {
    std::vector<float> cut = CutOut(StackOf(used_[i]), place, box_);
    Normalise(box_, cut);
    return cut;
  }

  void CutAll() {
    cuts_.clear();
    for (size_t i = 0; i < used_.size(); ++i) cuts_.push_back(Cut(i, places_[i]));
  }

  std::vector<float> Mean() const {
    std::vector<float> mean(cuts_.front().size()), column(cuts_.size());
    for (size_t i = 0; i < mean.size(); ++i) {
      for (size_t bead = 0; bead < cuts_.size(); ++bead) column[bead] = cuts_[bead][i];
      mean[i] = static_cast<float>(MeanOf(mean_, column));
    }
    return mean;
  }

  // Moves a bead's place to where its correlation with the average is greatest, at most half a voxel.
  void Improve(const std::vector<float>& average, size_t i) {
    const double here = Correlation(cuts_[i], average);
    for (size_t axis = 0; axis < 3; ++axis) {
      Place before = places_[i], after = places_[i];
      before[axis] -= 0.5;
      after[axis] += 0.5;
      const double low = Correlation(Cut(i, before), average), high = Correlation(Cut(i, after), average);
      const double bend = low - 2 * here + high;
      if (bend < 0) places_[i][axis] += std::clamp(0.25 * (low - high) / bend, -0.5, 0.5);
    }
  }

  std::vector<double> Correlations(const std::vector<float>& average) const {
    std::vector<double> correlations;
    for (const auto& cut : cuts_) correlations.push_back(Correlation(cut, average));
    return correlations;
  }

  // Whether any bead was unlike the others.
  bool LeaveOut(const std::vector<double>& correlations) {
    if (used_.size() < 3) return false;
    std::vector<double> sorted = correlations;
    std::sort(sorted.begin(), sorted.end());
    const double median = sorted[sorted.size() / 2];
    const double least = std::min(std::max(kLeastCorrelation, median - kCorrelationSpread), median);
    std::vector<size_t> used;
    std::vector<std::vector<float>> cuts;
    for (size_t i = 0; i < used_.size(); ++i) {
      if (correlations[i] < least) {
        beads_[patches_[used_[i]].bead].rejected =
            fmt::format("unlike the others: correlation {:.2f}", correlations[i]);
        continue;
      }
      used.push_back(used_[i]);
      cuts.push_back(std::move(cuts_[i]));
    }
    const bool any = used.size() < used_.size();
    used_ = std::move(used);
    cuts_ = std::move(cuts);
    return any;
  }

  const std::vector<BeadPatch>& patches_;
  const Shape3 box_;
  const BeadMean mean_;
  std::vector<Bead>& beads_;
  std::vector<size_t> used_;   // indices into `patches_`
  std::vector<Place> places_;  // of those, until some are left out
  std::vector<std::vector<float>> cuts_;
};

}  // namespace

BeadPatch CutPatch(std::span<const float> stack, const Shape3& shape, const Shape3& box, const Voxel& peak) {
  const Shape3 extent = BeadPatchShape(box);
  const Stack whole{stack, shape};
  BeadPatch patch;
  patch.values.reserve(static_cast<size_t>(extent.voxels()));
  for (int64_t z = 0; z < extent.z; ++z) {
    for (int64_t y = 0; y < extent.y; ++y) {
      for (int64_t x = 0; x < extent.x; ++x) {
        patch.values.push_back(static_cast<float>(
            whole.At(peak.z - extent.z / 2 + z, peak.y - extent.y / 2 + y, peak.x - extent.x / 2 + x)));
      }
    }
  }
  return patch;
}

DistilledPsf AverageBeads(const std::vector<BeadPatch>& patches, const Shape3& box, BeadMean mean,
                          std::vector<Bead>& beads) {
  return Average(patches, box, mean, beads).Run();
}

}  // namespace deconvoy::worker
