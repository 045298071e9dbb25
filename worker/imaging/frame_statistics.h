// Facts about one frame, gathered plane by plane in bounded memory. The same on any machine.
//
// Automatic background: the frame is cut into blocks of 8 x 8 voxels inside each plane (smaller at the far edges). It
// starts at the 1st percentile of the blocks' means, which finds the dark even where few blocks are dark, but lies
// below it by chance. Then it moves to the mean of all blocks that are at most two deviations of a block's mean
// brighter than it, until it rests; the deviation is that of the noise inside the blocks below the percentile. So it
// rises by a few such deviations at most, however much light there is. At least 0.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/imaging/counts.h"

namespace deconvoy::worker {

struct FrameFacts {
  double minimum = 0;  // photons, before the read noise rule
  double maximum = 0;
  int64_t at_maximum = 0;           // voxels that have it
  double mean = 0;                  // of y, what the methods see
  double variance = 0;              // of y
  double automatic_background = 0;  // photons
  double dark_variance = 0;         // of voxels inside the darkest hundredth of the blocks, photons^2
  int64_t blocks = 0;               // of 8 x 8 voxels, in all planes
  int64_t bright_blocks = 0;        // whose mean is nearer to that of the brightest than to the background
  int64_t counted = 0;              // voxels that count and are finite
  int64_t negative = 0;             // voxels below the offset
  int64_t not_finite = 0;           // NaN or infinity; left out of everything else
  std::optional<Voxel> first_not_finite;
};

// Takes the planes of one frame in order. Not thread safe.
class FrameStatistics {
 public:
  // Memory of one, beside a few rows.
  static constexpr int64_t kHistogramBytes = 16 << 20;

  FrameStatistics(const Shape3& frame, const CountScale& scale);

  // The next plane in photons, before the read noise rule. Voxels where `counts` is 0 are left out of everything;
  // empty: all count. REQUIRES: frame.y * frame.x values each.
  void AddPlane(std::span<const float> photons, std::span<const float> counts = {});
  // REQUIRES: all planes have been added.
  FrameFacts Finish() const;

 private:
  void AddRow(std::span<const float> row, std::span<const float> counts, int64_t y);
  void AddFiniteRow(std::span<const float> row);
  void AddBlocks();
  void SetBackground(FrameFacts& facts) const;
  void CountBright(FrameFacts& facts) const;

  // Voxels of a block that is being added.
  struct Block {
    double sum = 0, squares = 0;
    int64_t voxels = 0;
  };
  // Blocks whose means are about the same.
  struct Bin {
    uint64_t blocks = 0;
    double variances = 0;  // of the blocks' means, summed
  };

  const Shape3 frame_;
  const CountScale scale_;
  int64_t planes_ = 0;
  int64_t finite_ = 0;
  double sum_ = 0;  // of y
  double squares_ = 0;
  FrameFacts facts_;
  std::vector<Block> blocks_;   // one row of blocks
  std::vector<Bin> histogram_;  // of block means, by the leading bits of the float
  uint64_t block_count_ = 0;
};

}  // namespace deconvoy::worker
