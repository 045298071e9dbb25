#include "worker/learned/few_channels.h"

#include <algorithm>
#include <cstring>

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kTaps = 27;
// Extents of a block, so that what it reads stays in a core's own cache.
constexpr int64_t kBlockRows = 8;
constexpr int64_t kSlack = 144;  // zeros about a row: one before it, and behind it as many as may be read

int64_t Parts(int64_t n, int64_t part) {
  return (n + part - 1) / part;
}

// What a block reads of one input channel: its planes and rows and one more on each side, each row with a 0 before and
// zeros behind it.
struct Padded {
  const float* first = nullptr;
  int64_t row = 0, plane = 0, channel = 0;  // steps
};

// The block's voxels of a group's result.
struct Target {
  float* first = nullptr;
  int64_t row = 0, plane = 0, channel = 0;  // steps
  int64_t planes = 0, rows = 0, width = 0;
};

template <int kBytes>
struct Vector {
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(float));
  using Type [[gnu::vector_size(kBytes)]] = float;
  using Unaligned [[gnu::vector_size(kBytes), gnu::aligned(4), gnu::may_alias]] = float;
};

// `kGroup` channels of `kWide` vectors along x at a time.
template <int kBytes, int kGroup, int kWide>
[[gnu::always_inline]] inline void ComputeGroup(const Padded& padded, int64_t in, const float* kernels,
                                                const float* bias, const Target& target) {
  using V = Vector<kBytes>;
  constexpr int64_t kStep = V::kLanes * kWide;
  static_assert(kStep + 2 <= kSlack);
  for (int64_t z = 0; z < target.planes; ++z) {
    for (int64_t y = 0; y < target.rows; ++y) {
      for (int64_t x = 0; x < target.width; x += kStep) {
        typename V::Type sums[kGroup][kWide];
        for (int g = 0; g < kGroup; ++g) {
          for (int w = 0; w < kWide; ++w) sums[g][w] = typename V::Type{} + bias[g];
        }
        const float* kernel = kernels;
        const float* channel = padded.first + z * padded.plane + y * padded.row + x;
        for (int64_t c = 0; c < in; ++c, channel += padded.channel) {
          for (int row = 0; row < 9; ++row) {
            const float* values = channel + (row / 3) * padded.plane + (row % 3) * padded.row;
            for (int tap = 0; tap < 3; ++tap, kernel += kGroup) {
              for (int w = 0; w < kWide; ++w) {
                const typename V::Type v =
                    *reinterpret_cast<const typename V::Unaligned*>(values + tap + w * V::kLanes);
                for (int g = 0; g < kGroup; ++g) sums[g][w] += v * kernel[g];
              }
            }
          }
        }
        float* to = target.first + z * target.plane + y * target.row + x;
        const int64_t left = std::min<int64_t>(kStep, target.width - x);
        for (int g = 0; g < kGroup; ++g, to += target.channel) {
          std::memcpy(to, sums[g], static_cast<size_t>(left) * sizeof(float));
        }
      }
    }
  }
}

using ComputeFunction = void (*)(int group, const Padded&, int64_t in, const float* kernels, const float* bias,
                                 const Target&);

// With as many vectors beside one another as a group leaves room for in the processor's registers, `kSums` of which
// hold sums. REQUIRES: group <= kSums.
template <int kBytes, int kSums>
[[gnu::always_inline]] inline void ComputeAny(int group, const Padded& padded, int64_t in, const float* kernels,
                                              const float* bias, const Target& target) {
  if constexpr (kSums >= 16) {
    if (group == 16) return ComputeGroup<kBytes, 16, kSums / 16>(padded, in, kernels, bias, target);
  }
  if (group == 8) return ComputeGroup<kBytes, 8, kSums / 8>(padded, in, kernels, bias, target);
  if (group == 4) return ComputeGroup<kBytes, 4, kSums / 4>(padded, in, kernels, bias, target);
  return ComputeGroup<kBytes, 1, kSums / 2>(padded, in, kernels, bias, target);
}

#if defined(__x86_64__)
[[gnu::target("avx512f")]] void ComputeAvx512(int group, const Padded& padded, int64_t in, const float* kernels,
                                              const float* bias, const Target& target) {
  ComputeAny<64, 16>(group, padded, in, kernels, bias, target);
}
[[gnu::target("avx2,fma")]] void ComputeAvx2(int group, const Padded& padded, int64_t in, const float* kernels,
                                             const float* bias, const Target& target) {
  ComputeAny<32, 8>(group, padded, in, kernels, bias, target);
}
#endif
void ComputeAnywhere(int group, const Padded& padded, int64_t in, const float* kernels, const float* bias,
                     const Target& target) {
  ComputeAny<16, 8>(group, padded, in, kernels, bias, target);
}

// What this processor computes with, and the largest group.
struct Processor {
  ComputeFunction compute = ComputeAnywhere;
  int most = 8;
};

const Processor& TheProcessor() {
  static const Processor processor = [] {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return Processor{ComputeAvx512, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Processor{ComputeAvx2, 8};
#endif
    return Processor{};
  }();
  return processor;
}

int GroupOf(int64_t channels) {
  for (const int size : {16, 8, 4}) {
    if (size <= TheProcessor().most && channels >= size) return size;
  }
  return 1;
}

// Copies planes and rows, beginning at (z, y), of each channel; those beyond the faces are 0.
void Pad(std::span<const ChannelPlanes> input, const Shape3& shape, int64_t z, int64_t y, int64_t planes, int64_t rows,
         const Padded& steps, float* to) {
  for (const ChannelPlanes& channel : input) {
    for (int64_t i = 0; i < planes; ++i) {
      for (int64_t j = 0; j < rows; ++j) {
        float* row = to + i * steps.plane + j * steps.row;
        const bool inside = z + i >= 0 && z + i < shape.z && y + j >= 0 && y + j < shape.y;
        if (!inside) {
          std::fill_n(row, steps.row, 0.0F);
          continue;
        }
        row[0] = 0;
        std::copy_n(channel.first + (z + i) * channel.step + (y + j) * shape.x, shape.x, row + 1);
        std::fill(row + 1 + shape.x, row + steps.row, 0.0F);
      }
    }
    to += steps.channel;
  }
}

}  // namespace

FewChannels::FewChannels(std::span<const float> kernels, std::span<const float> bias, int64_t in, int64_t out)
    : in_(in) {
  for (int64_t first = 0; first < out; first += groups_.back().size) {
    Group& group = groups_.emplace_back();
    group.first = first;
    group.size = GroupOf(out - first);
    for (int64_t tap = 0; tap < in * kTaps; ++tap) {
      for (int64_t g = first; g < first + group.size; ++g) {
        group.kernels.push_back(kernels[static_cast<size_t>(g * in * kTaps + tap)]);
      }
    }
    for (int64_t g = first; g < first + group.size; ++g) {
      group.bias.push_back(bias.empty() ? 0 : bias[static_cast<size_t>(g)]);
    }
  }
}

int64_t FewChannels::Blocks(const Shape3& shape, int64_t planes) const {
  return Parts(planes, kBlockPlanes) * Parts(shape.y, kBlockRows);
}

int64_t FewChannels::ScratchValues(const Shape3& shape) const {
  return in_ * (kBlockPlanes + 2) * (kBlockRows + 2) * (shape.x + kSlack);
}

void FewChannels::Compute(int64_t block, std::span<const ChannelPlanes> input, const Shape3& shape, int64_t from,
                          int64_t to, std::span<float> scratch, float* result) const {
  const int64_t across = Parts(shape.y, kBlockRows);
  const int64_t z = from + block / across * kBlockPlanes, y = block % across * kBlockRows;
  const int64_t planes = std::min(kBlockPlanes, to - z), rows = std::min(kBlockRows, shape.y - y);
  Padded padded{.first = scratch.data(), .row = shape.x + kSlack};
  padded.plane = (rows + 2) * padded.row;
  padded.channel = (planes + 2) * padded.plane;
  Pad(input, shape, z - 1, y - 1, planes + 2, rows + 2, padded, scratch.data());
  Target target{.row = shape.x,
                .plane = shape.y * shape.x,
                .channel = (to - from) * shape.y * shape.x,
                .planes = planes,
                .rows = rows,
                .width = shape.x};
  for (const Group& group : groups_) {
    target.first = result + group.first * target.channel + (z - from) * target.plane + y * target.row;
    TheProcessor().compute(group.size, padded, in_, group.kernels.data(), group.bias.data(), target);
  }
}

}  // namespace deconvoy::worker::learned
