#include "worker/imaging/frame_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "worker/imaging/lanes.h"
#include "worker/imaging/value_bins.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kBlock = 8;
static_assert(kBlock == kLanes);
constexpr uint64_t kPercent = 100;
constexpr int kMostSteps = 20;

}  // namespace

FrameStatistics::FrameStatistics(const Shape3& frame, const CountScale& scale)
    : frame_(frame),
      scale_(scale),
      blocks_(static_cast<size_t>((frame.x + kBlock - 1) / kBlock)),
      histogram_(kValueBins) {
  static_assert(kValueBins * sizeof(Bin) == kHistogramBytes);
}

void FrameStatistics::AddPlane(std::span<const float> photons, std::span<const float> counts) {
  const auto columns = static_cast<size_t>(frame_.x);
  for (int64_t y = 0; y < frame_.y; ++y) {
    const size_t first = static_cast<size_t>(y) * columns;
    AddRow(photons.subspan(first, columns), counts.empty() ? counts : counts.subspan(first, columns), y);
    if ((y + 1) % kBlock == 0 || y + 1 == frame_.y) AddBlocks();
  }
  ++planes_;
}

// A row of which every voxel counts, without NaN and infinity.
void FrameStatistics::AddFiniteRow(std::span<const float> row) {
  const double variance = scale_.variance();
  Lanes photons;
  std::array<double, kLanes> measured{}, measured_squares{};
  for (size_t x = 0; x < row.size(); x += kLanes) {
    const size_t count = std::min(kLanes, row.size() - x);
    std::array<double, kLanes> values{}, squares{};
    Block& block = blocks_[x / kBlock];
    for (size_t i = 0; i < count; ++i) {
      values[i] = row[x + i];
      squares[i] = values[i] * values[i];
      const double seen = std::max(values[i] + variance, 0.0);
      measured[i] += seen;
      measured_squares[i] += seen * seen;
    }
    photons.Add(values.data(), count);
    block.sum += PairwiseSum(values);
    block.squares += PairwiseSum(squares);
    block.voxels += static_cast<int64_t>(count);
  }
  facts_.minimum = finite_ > 0 ? std::min(facts_.minimum, photons.minimum()) : photons.minimum();
  const double most = photons.maximum();
  if (finite_ == 0 || most > facts_.maximum) facts_.at_maximum = 0;
  facts_.maximum = finite_ > 0 ? std::max(facts_.maximum, most) : most;
  if (most == facts_.maximum) facts_.at_maximum += std::count(row.begin(), row.end(), static_cast<float>(most));
  facts_.negative += std::count_if(row.begin(), row.end(), [](float v) { return v < 0; });
  finite_ += static_cast<int64_t>(row.size());
  sum_ += PairwiseSum(measured);
  squares_ += PairwiseSum(measured_squares);
}

void FrameStatistics::AddRow(std::span<const float> row, std::span<const float> counts, int64_t y) {
  const bool all_count = std::find(counts.begin(), counts.end(), 0.0F) == counts.end();
  if (all_count && AllFinite(row)) return AddFiniteRow(row);
  const double variance = scale_.variance();
  for (size_t x = 0; x < row.size(); ++x) {
    if (!all_count && counts[x] == 0) continue;
    const double v = row[x];
    if (!std::isfinite(v)) {
      if (facts_.not_finite++ == 0) facts_.first_not_finite = Voxel{planes_, y, static_cast<int64_t>(x)};
      continue;
    }
    facts_.minimum = finite_ > 0 ? std::min(facts_.minimum, v) : v;
    if (finite_ == 0 || v > facts_.maximum) facts_.at_maximum = 0;
    facts_.maximum = finite_ > 0 ? std::max(facts_.maximum, v) : v;
    facts_.at_maximum += v == facts_.maximum;
    facts_.negative += v < 0;
    ++finite_;
    const double measured = std::max(v + variance, 0.0);
    sum_ += measured;
    squares_ += measured * measured;
    Block& block = blocks_[x / kBlock];
    block.sum += v;
    block.squares += v * v;
    ++block.voxels;
  }
}

void FrameStatistics::AddBlocks() {
  for (Block& block : blocks_) {
    if (block.voxels > 0) {
      const auto n = static_cast<double>(block.voxels);
      const double mean = block.sum / n;
      Bin& bin = histogram_[BinOf(mean)];
      ++bin.blocks;
      if (block.voxels > 1) bin.variances += std::max(block.squares - n * mean * mean, 0.0) / (n - 1) / n;
      ++block_count_;
    }
    block = {};
  }
}

void FrameStatistics::SetBackground(FrameFacts& facts) const {
  uint64_t below = 0;
  double variances = 0;
  size_t first = 0;
  for (; first < histogram_.size(); ++first) {
    below += histogram_[first].blocks;
    variances += histogram_[first].variances;
    if (below > block_count_ / kPercent) break;
  }
  if (below == 0) return;
  facts.dark_variance = variances / static_cast<double>(below) * kBlock * kBlock;  // nearly all blocks are whole
  const double deviation = std::sqrt(variances / static_cast<double>(below));
  double background = ValueOf(first);
  for (int step = 0; step < kMostSteps; ++step) {
    const double before = background;
    const size_t last = BinOf(background + 2 * deviation);
    double sum = 0;
    uint64_t blocks = 0;
    for (size_t bin = 0; bin <= last; ++bin) {
      sum += ValueOf(bin) * static_cast<double>(histogram_[bin].blocks);
      blocks += histogram_[bin].blocks;
    }
    background = std::max(background, sum / static_cast<double>(blocks));
    if (background - before <= 0.01 * deviation) break;
  }
  facts.automatic_background = background;
}

void FrameStatistics::CountBright(FrameFacts& facts) const {
  size_t brightest = histogram_.size();
  while (brightest > 0 && histogram_[brightest - 1].blocks == 0) --brightest;
  if (brightest == 0) return;
  const double half = (ValueOf(brightest - 1) + facts.automatic_background) / 2;
  uint64_t bright = 0;
  for (size_t bin = BinOf(half); bin < brightest; ++bin) bright += histogram_[bin].blocks;
  facts.blocks = static_cast<int64_t>(block_count_);
  facts.bright_blocks = static_cast<int64_t>(bright);
}

FrameFacts FrameStatistics::Finish() const {
  FrameFacts facts = facts_;
  facts.counted = finite_;
  facts.mean = finite_ > 0 ? sum_ / static_cast<double>(finite_) : 0;
  if (finite_ > 0) facts.variance = std::max(squares_ / static_cast<double>(finite_) - facts.mean * facts.mean, 0.0);
  SetBackground(facts);
  CountBright(facts);
  return facts;
}

}  // namespace deconvoy::worker
