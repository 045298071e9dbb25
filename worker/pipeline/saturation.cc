#include "worker/pipeline/saturation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "worker/pipeline/finding.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kLeastVoxels = 10;
constexpr int64_t kVoxelsOfOneSaturated = 1'000'000;
constexpr std::array<int, 5> kBits = {8, 10, 12, 14, 16};

}  // namespace

std::optional<v1::Finding> FindSaturation(const v1::DeconvolveSpec& spec, const FrameBox& frame,
                                          const CountScale& scale, const FrameFacts& facts) {
  if (!spec.flat_field_volume().empty()) return std::nullopt;
  if (facts.maximum == facts.minimum) return std::nullopt;
  if (facts.at_maximum < std::max(kLeastVoxels, facts.counted / kVoxelsOfOneSaturated)) return std::nullopt;
  const auto counts =
      static_cast<int64_t>(std::lround((facts.maximum + scale.dark) / scale.gain + scale.offset_counts));
  const auto bits = std::find_if(kBits.begin(), kBits.end(), [&](int b) { return counts == (int64_t{1} << b) - 1; });
  if (bits == kBits.end()) return std::nullopt;
  return Warning(
      fmt::format("frame t={} c={}: {} voxels have {} counts, the most that {} bits hold: they look saturated, and "
                  "were brighter than the image says",
                  frame.t, frame.c, facts.at_maximum, counts, *bits),
      "deconvolve.saturation_counts",
      fmt::format("Give {} as the saturation, so that these voxels are told from their neighbours.", counts));
}

}  // namespace deconvoy::worker
