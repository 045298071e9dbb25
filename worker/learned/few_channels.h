// Convolutions of few channels with 3x3x3 kernels, on processors, without gradients. Libraries lay channels side by
// side in the processor's vectors, which a few do not fill; here they hold neighbours along x.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker::learned {

// Planes of one channel, in the order of z; in each, rows follow one another.
struct ChannelPlanes {
  const float* first = nullptr;
  int64_t step = 0;  // from one plane to the next, in values
};

// One convolution: the sum over channels of correlations with their kernels, and a bias. What lies beyond the faces
// is 0. Threads may share it.
class FewChannels {
 public:
  // Planes of a block; a part of a result is best a multiple of them.
  static constexpr int64_t kBlockPlanes = 4;

  // `kernels` are [out, in, 3, 3, 3] of any number of channels, `bias` one value for each of out, or none.
  FewChannels(std::span<const float> kernels, std::span<const float> bias, int64_t in, int64_t out);

  // A part of the result is computed in so many blocks, in any order, and by any threads. REQUIRES: planes >= 0.
  int64_t Blocks(const Shape3& shape, int64_t planes) const;
  // Values of the scratch that a block needs.
  int64_t ScratchValues(const Shape3& shape) const;
  // Writes the block's voxels of `result`, the planes `from` to `to` of every channel, [out, to - from, y, x]. `input`
  // are the planes of all channels, of extents `shape`. REQUIRES: 0 <= from <= to <= shape.z, 0 <= block < Blocks(...),
  // the scratch large enough and nobody else's meanwhile.
  void Compute(int64_t block, std::span<const ChannelPlanes> input, const Shape3& shape, int64_t from, int64_t to,
               std::span<float> scratch, float* result) const;

 private:
  // Channels of the result that are computed together.
  struct Group {
    int64_t first = 0;
    int size = 0;
    std::vector<float> kernels;  // [in, 27, size]
    std::vector<float> bias;     // [size]
  };

  const int64_t in_;
  std::vector<Group> groups_;
};

}  // namespace deconvoy::worker::learned
