// Facts about one frame, gathered plane by plane in bounded memory. The same on any machine.
//
// Automatic background: the frame is cut into blocks of 8 x 8 voxels inside each plane (smaller at the far edges);
// the background is the 1st percentile of the blocks' means, and at least 0. Averaging 64 voxels first keeps
// noise from pulling the percentile down; the percentile finds the background where only a few blocks are dark.
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
  double mean = 0;                  // of y, what the methods see
  double automatic_background = 0;  // photons
  int64_t negative = 0;             // voxels below the offset
  int64_t not_finite = 0;           // NaN or infinity; left out of everything else
  std::optional<Voxel> first_not_finite;
};

// Takes the planes of one frame in order. Not thread safe.
class FrameStatistics {
 public:
  FrameStatistics(const Shape3& frame, const CountScale& scale);

  // The next plane in photons, before the read noise rule. REQUIRES: frame.y * frame.x values.
  void AddPlane(std::span<const float> photons);
  // REQUIRES: all planes have been added.
  FrameFacts Finish() const;

 private:
  void AddRow(std::span<const float> row, int64_t y);
  void AddBlocks();
  double Percentile() const;

  const Shape3 frame_;
  const CountScale scale_;
  int64_t planes_ = 0;
  int64_t finite_ = 0;
  double sum_ = 0;
  FrameFacts facts_;
  struct Block {
    double sum = 0;
    int64_t voxels = 0;
  };
  std::vector<Block> blocks_;        // one row of blocks
  std::vector<uint64_t> histogram_;  // of block means, by the leading bits of the float
  uint64_t block_count_ = 0;
};

}  // namespace deconvoy::worker
