#include "worker/imaging/noise_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "worker/imaging/robust_fit.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kBlock = 8;
constexpr double kBlockVoxels = kBlock * kBlock;
// What the pixels of a row count in all differences of the block: 1, 4, 1 in each along that axis.
constexpr std::array<double, kBlock> kCounts = {1, 5, 6, 6, 6, 6, 5, 1};
constexpr double kDifferences = (kBlock - 2) * (kBlock - 2);  // in a block
constexpr double kSquares = 36;                               // of the weights of a difference
constexpr double kStructure = 12;                             // times the usual variance
constexpr int64_t kBlocksPerPlane = 4096;
constexpr size_t kMostBlocks = NoiseFit::kBytes / 16;  // sorted once more
constexpr size_t kEvenGroups = 16;
constexpr size_t kLeastGroup = 48;    // blocks
constexpr double kModelError = 0.01;  // relative, of a group's variance
constexpr double kLeastRange = 10;    // of the groups' means, in deviations of a block's
constexpr double kMostError = 0.2;    // relative, of the gain
constexpr double kSignificant = 3;
constexpr int kRounds = 20;
constexpr double kBiweight = 4.685;
constexpr double kRounding = 1.0 / 12;

}  // namespace

void NoiseFit::AddPlane(std::span<const float> plane, int64_t columns) {
  Add(plane, nullptr, columns);
}

void NoiseFit::AddPair(std::span<const float> first, std::span<const float> second, int64_t columns) {
  Add(first, second.data(), columns);
}

namespace {

// One plane, or two of one place.
struct Planes {
  const float* first;
  const float* second;  // may be null
  int64_t rows, columns;
};

// Whether all pixels of a block are the same.
bool IsConstant(const float* plane, int64_t columns) {
  for (int64_t y = 0; y < kBlock; ++y) {
    for (int64_t x = 0; x < kBlock; ++x) {
      if (plane[y * columns + x] != plane[0]) return false;
    }
  }
  return true;
}

// Whether the block at a pixel or one beside it was filled in rather than recorded. Of noise that was recorded the
// blocks beside a block tell nothing, so that those which are left are no choice of it.
bool TouchesFilling(const Planes& planes, int64_t y, int64_t x) {
  for (int64_t v = std::max<int64_t>(y - kBlock, 0); v <= std::min(y + kBlock, planes.rows - kBlock); v += kBlock) {
    for (int64_t u = std::max<int64_t>(x - kBlock, 0); u <= std::min(x + kBlock, planes.columns - kBlock);
         u += kBlock) {
      const int64_t at = v * planes.columns + u;
      if (!IsConstant(planes.first + at, planes.columns)) continue;
      if (planes.second == nullptr || IsConstant(planes.second + at, planes.columns)) return true;
    }
  }
  return false;
}

}  // namespace

void NoiseFit::Add(std::span<const float> first, const float* second, int64_t columns) {
  const int64_t rows = static_cast<int64_t>(first.size()) / columns;
  const int64_t blocks = (rows / kBlock) * (columns / kBlock);
  const auto step = static_cast<int64_t>(
      std::ceil(std::sqrt(static_cast<double>(std::max<int64_t>(blocks, 1)) / static_cast<double>(kBlocksPerPlane))));
  for (int64_t y = 0; y + kBlock <= rows; y += kBlock * step) {
    for (int64_t x = 0; x + kBlock <= columns; x += kBlock * step) {
      if (blocks_.size() == kMostBlocks) return;
      if (TouchesFilling({first.data(), second, rows, columns}, y, x)) continue;
      const int64_t at = y * columns + x;
      AddBlock(first.data() + at, second != nullptr ? second + at : nullptr, columns);
    }
  }
}

void NoiseFit::AddBlock(const float* first, const float* second, int64_t columns) {
  std::array<double, kBlock * kBlock> values{};
  double sum = 0;
  for (int64_t y = 0; y < kBlock; ++y) {
    for (int64_t x = 0; x < kBlock; ++x) {
      const double a = first[y * columns + x], b = second != nullptr ? second[y * columns + x] : a;
      if (!std::isfinite(a) || !std::isfinite(b) || std::max(a, b) >= rules_.saturated_counts) return;
      sum += kCounts[static_cast<size_t>(y)] * kCounts[static_cast<size_t>(x)] * (a + b) / 2;
      values[static_cast<size_t>(y * kBlock + x)] = second != nullptr ? a - b : a;
    }
  }
  double squares = 0;
  for (size_t y = 1; y + 1 < kBlock; ++y) {
    for (size_t x = 1; x + 1 < kBlock; ++x) {
      const auto along_x = [&](size_t row) {
        const double* const v = values.data() + row * kBlock + x;
        return v[-1] - 2 * v[0] + v[1];
      };
      const double difference = along_x(y - 1) - 2 * along_x(y) + along_x(y + 1);
      squares += difference * difference;
    }
  }
  const double variance = squares / kDifferences / kSquares / (second != nullptr ? 2 : 1);
  blocks_.push_back(
      {static_cast<float>(sum / (kDifferences * kSquares) - rules_.offset_counts), static_cast<float>(variance)});
}

NoiseFit::Group NoiseFit::Summarise(std::span<const Block> blocks) {
  std::vector<double> variances;
  double sum = 0;
  for (const Block& block : blocks) {
    variances.push_back(block.variance);
    sum += block.variance;
  }
  // Where photons are so few that most blocks have none, the median tells nothing.
  double usual = std::max(MedianOf(variances), sum / static_cast<double>(blocks.size()) / 4);
  Group group;
  for (int round = 0; round < 3; ++round) {
    double n = 0, squares = 0;
    group = {};
    for (const Block& block : blocks) {
      const double v = block.variance;
      if (v > kStructure * usual) continue;
      group.mean += block.mean;
      group.variance += v;
      squares += v * v;
      ++n;
    }
    group.mean /= n;
    group.variance /= n;
    usual = group.variance;
    const double spread = std::max(squares / n - usual * usual, 0.0);
    group.error = usual > 0 ? std::sqrt(spread / n) / usual : 0;
  }
  return group;
}

// Groups of one sixteenth each; the brightest ones are halved again and again, so that few bright blocks count, too.
std::vector<NoiseFit::Group> NoiseFit::Sorted(std::vector<Block> blocks) {
  std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.mean < b.mean; });
  std::vector<Group> groups;
  size_t begin = 0;
  while (begin < blocks.size()) {
    const size_t left = blocks.size() - begin, even = blocks.size() / kEvenGroups;
    size_t size = left >= 2 * even ? even : left / 2;
    if (size < kLeastGroup || left - size < kLeastGroup) size = std::min(left, std::max(size, kLeastGroup));
    if (left - size < kLeastGroup) size = left;
    groups.push_back(Summarise(std::span(blocks).subspan(begin, size)));
    begin += size;
  }
  return groups;
}

namespace {

struct Line {
  std::vector<double> means, variances, errors;

  // 1 / variance of a group's variance, where the line expects so much of it.
  double WeightOf(size_t i, double expected) const {
    const double least = std::max(1e-3 * *std::max_element(variances.begin(), variances.end()), 1e-12);
    const double deviation = std::max(expected, least);
    return 1 / ((errors[i] * errors[i] + kModelError * kModelError) * deviation * deviation);
  }

  // Groups far off the line do not count.
  std::optional<Polynomial> Fit(int degree) const {
    std::vector<double> weights(means.size());
    for (size_t i = 0; i < means.size(); ++i) weights[i] = WeightOf(i, variances[i]);
    std::optional<Polynomial> fit = FitPolynomial(means, variances, weights, degree);
    for (int round = 0; fit && round < kRounds; ++round) {
      for (size_t i = 0; i < means.size(); ++i) {
        const double weight = WeightOf(i, fit->At(means[i]));
        const double u = std::abs(variances[i] - fit->At(means[i])) * std::sqrt(weight) / kBiweight;
        weights[i] = u < 1 ? weight * (1 - u * u) * (1 - u * u) : 0;
      }
      const std::optional<Polynomial> next = FitPolynomial(means, variances, weights, degree);
      if (!next) break;
      fit = next;
    }
    return fit;
  }

  // Whether the variance clearly has a part that grows with the square of the light.
  bool Curved() const {
    const std::optional<Polynomial> fit = means.size() > 3 ? Fit(2) : std::nullopt;
    return fit && fit->coefficients[2] > kSignificant * std::sqrt(fit->variances[2]) && fit->coefficients[1] > 0;
  }
};

}  // namespace

std::optional<NoiseEstimate> NoiseFit::Finish() const {
  if (blocks_.size() < 4 * kLeastGroup) return std::nullopt;
  Line line;
  for (const Group& group : Sorted(blocks_)) {
    line.means.push_back(group.mean);
    line.variances.push_back(group.variance);
    line.errors.push_back(group.error);
  }
  const double deviation = std::sqrt(line.variances.front() / kBlockVoxels);
  if (line.means.back() - line.means.front() < kLeastRange * deviation) return std::nullopt;
  const std::optional<Polynomial> fit = line.Fit(line.Curved() ? 2 : 1);
  if (!fit || !(fit->coefficients[1] > 0)) return std::nullopt;
  const double slope = fit->coefficients[1], error = std::sqrt(fit->variances[1]);
  if (error > kMostError * slope) return std::nullopt;
  NoiseEstimate estimate;
  estimate.gain = 1 / slope;
  estimate.gain_error = error / (slope * slope);
  estimate.dark_variance = fit->coefficients[0] - (rules_.whole_counts ? kRounding : 0);
  estimate.dark_error = std::sqrt(fit->variances[0]);
  estimate.read_noise = std::sqrt(std::max(estimate.dark_variance, 0.0)) / slope;
  estimate.noiseless_counts = rules_.offset_counts - estimate.dark_variance / slope;
  estimate.blocks = static_cast<int64_t>(blocks_.size());
  return estimate;
}

}  // namespace deconvoy::worker
