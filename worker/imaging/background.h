// What lies behind the light of one frame, told from its planes in other ways than FrameStatistics does for the whole
// frame. In photons, at least 0.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/frame_statistics.h"

namespace deconvoy::worker {

// The value that a share of the voxels lie below, to 1/8192 of it. Takes the planes in any order. Not thread safe.
class ValueHistogram {
 public:
  static constexpr int64_t kBytes = 8 << 20;  // of one

  ValueHistogram();
  // Voxels where `counts` is 0 and those that are not finite are left out; empty: all count.
  void AddPlane(std::span<const float> photons, std::span<const float> counts = {});
  // `percent` above 0 and below 100. 0 where no voxel counts.
  double Percentile(double percent) const;

 private:
  std::vector<uint64_t> voxels_;  // of each bin (value_bins.h)
  uint64_t all_ = 0;
};

// The automatic background of each plane by itself, as FrameStatistics finds that of a frame. Not thread safe.
class PlaneBackgrounds {
 public:
  static constexpr int64_t kBytes = FrameStatistics::kHistogramBytes;  // of one

  PlaneBackgrounds(const Shape3& frame, const CountScale& scale) : plane_{1, frame.y, frame.x}, scale_(scale) {}
  // As FrameStatistics::AddPlane.
  void AddPlane(std::span<const float> photons, std::span<const float> counts = {});
  // Of the planes so far. One of which no voxel counts has that of the brightest.
  std::vector<float> Finish() const;

 private:
  static constexpr float kNotKnown = -1;

  const Shape3 plane_;
  const CountScale scale_;
  std::vector<float> backgrounds_;
};

}  // namespace deconvoy::worker
