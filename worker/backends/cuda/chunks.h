// How a convolution is cut so that what one step leaves is still in the device's cache for the next, and so that
// transforms need little memory beside it.
//
// Along y and x planes are transformed in chunks of neighbours; along z columns are, in chunks of neighbours in a
// plane.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/backends/cuda/kernels.h"
#include "worker/backends/cuda/runtime.h"

namespace deconvoy::worker::cuda {

// Half of what the caches of the larger devices hold (H100: 50 MB).
constexpr int64_t kChunkBytes = int64_t{24} << 20;

class Chunks {
 public:
  // `bytes` is what a chunk takes where it is of more than one plane or column.
  Chunks(const Shape3& domain, int64_t bytes);

  const Shape3& domain() const { return domain_; }
  int64_t row() const { return domain_.x / 2 + 1; }      // complex numbers of a row
  int64_t plane() const { return domain_.y * row(); }    // of a plane
  int64_t total() const { return domain_.z * plane(); }  // of the half spectrum

  // Neighbouring planes as chunks, in order: each of 2^k planes, so that few plans serve every number of them.
  std::vector<Planes> OfPlanes(const Planes& planes) const;
  int64_t most_planes() const { return most_planes_; }  // of a chunk
  // All columns as chunks: all alike but for a smaller last one.
  std::vector<Columns> OfColumns() const;

  // The transform of `count` planes along y and x; none where both are 1.
  std::optional<FftShape> PlaneFft(int64_t count) const;
  // The transform of `count` columns along z; none where that is 1.
  std::optional<FftShape> ColumnFft(int64_t count) const;

 private:
  const Shape3 domain_;
  const int64_t most_planes_;
  const int64_t most_columns_;
};

}  // namespace deconvoy::worker::cuda
