#include "worker/imaging/counts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "proto/contract/volume_layout.h"
#include "worker/imaging/lanes.h"

namespace deconvoy::worker {
namespace {

template <typename T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <typename T>
void Widen(std::span<const std::byte> raw, std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(Load<T>(raw.data() + i * sizeof(T)));
}

template <typename T>
void StoreInteger(double value, std::byte* at, uint64_t& clipped) {
  const double rounded = std::round(value);
  const double most = std::numeric_limits<T>::max();
  if (rounded < 0 || rounded > most) ++clipped;
  const T stored = static_cast<T>(std::clamp(rounded, 0.0, most));
  std::memcpy(at, &stored, sizeof(T));
}

}  // namespace

void ToFloat(std::span<const std::byte> raw, v1::VoxelType type, std::span<float> values) {
  switch (type) {
    case v1::U8:
      return Widen<uint8_t>(raw, values);
    case v1::U16:
      return Widen<uint16_t>(raw, values);
    default:
      return Widen<float>(raw, values);
  }
}

void ToPhotons(const CountScale& scale, std::span<float> values) {
  for (float& v : values) {
    v = static_cast<float>((static_cast<double>(v) - scale.offset_counts) * scale.gain - scale.dark);
  }
}

void ApplyReadNoise(const CountScale& scale, std::span<float> values) {
  const double variance = scale.variance();
  for (float& v : values) v = static_cast<float>(std::max(static_cast<double>(v) + variance, 0.0));
}

void CountTotals::Merge(const CountTotals& other) {
  if (other.voxels > 0) {
    minimum = voxels > 0 ? std::min(minimum, other.minimum) : other.minimum;
    maximum = voxels > 0 ? std::max(maximum, other.maximum) : other.maximum;
  }
  sum += other.sum;
  clipped += other.clipped;
  not_finite += other.not_finite;
  voxels += other.voxels;
  all_zero = all_zero && other.all_zero;
}

void StoreVoxel(double value, v1::VoxelType type, std::span<std::byte> raw, size_t index, uint64_t& clipped) {
  if (type == v1::U8) return StoreInteger<uint8_t>(value, raw.data() + index, clipped);
  if (type == v1::U16) return StoreInteger<uint16_t>(value, raw.data() + 2 * index, clipped);
  const auto stored = static_cast<float>(value);
  std::memcpy(raw.data() + 4 * index, &stored, sizeof(stored));
}

namespace {

// Voxels that are converted at once: few enough to stay in the cache.
constexpr size_t kStretch = 512;

// As StoreInteger: `whole` is what remains when the fraction is cut off, of a value that the type can hold.
template <typename T>
void StoreIntegers(std::span<const double> values, std::byte* at, uint64_t& clipped) {
  constexpr double kMost = std::numeric_limits<T>::max();
  uint32_t outside = 0;
  std::array<T, kStretch> stored;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool below = values[i] <= -0.5, above = values[i] >= kMost + 0.5;
    outside += static_cast<uint32_t>(below || above);
    const double inside = below ? 0 : above ? kMost : values[i];
    const auto whole = static_cast<int32_t>(inside);
    stored[i] = static_cast<T>(whole + static_cast<int32_t>(inside - whole >= 0.5));
  }
  std::memcpy(at, stored.data(), values.size() * sizeof(T));
  clipped += outside;
}

// Whether a voxel of this type can hold the counts, or what is nearest to them.
bool Holds(v1::VoxelType type, double counts) {
  return std::isfinite(counts) && (type != v1::F32 || std::abs(counts) <= std::numeric_limits<float>::max());
}

// Where some photons or counts may not be finite.
CountTotals ConvertAny(double gain, double offset, std::span<const float> photons, v1::VoxelType type,
                       std::span<std::byte> raw) {
  CountTotals totals;
  for (size_t i = 0; i < photons.size(); ++i) {
    const double counts = static_cast<double>(photons[i]) / gain + offset;
    if (!Holds(type, counts)) {
      ++totals.not_finite;
      StoreVoxel(0, type, raw, i, totals.clipped);
      continue;
    }
    totals.minimum = totals.voxels > 0 ? std::min(totals.minimum, counts) : counts;
    totals.maximum = totals.voxels > 0 ? std::max(totals.maximum, counts) : counts;
    totals.sum += counts;
    totals.all_zero = totals.all_zero && photons[i] == 0;
    ++totals.voxels;
    StoreVoxel(counts, type, raw, i, totals.clipped);
  }
  return totals;
}

// REQUIRES: all photons are finite, at most kStretch of them, at least one.
CountTotals ConvertFinite(double gain, double offset, std::span<const float> photons, v1::VoxelType type,
                          std::span<std::byte> raw) {
  std::array<double, kStretch> counts;
  uint32_t lit = 0;
  for (size_t i = 0; i < photons.size(); ++i) {
    counts[i] = static_cast<double>(photons[i]) / gain + offset;
    lit |= static_cast<uint32_t>(photons[i] != 0);
  }
  Lanes lanes;
  size_t i = 0;
  for (; i + kLanes <= photons.size(); i += kLanes) lanes.Add(counts.data() + i, kLanes);
  lanes.Add(counts.data() + i, photons.size() - i);
  if (!Holds(type, lanes.minimum()) || !Holds(type, lanes.maximum()))
    return ConvertAny(gain, offset, photons, type, raw);
  CountTotals totals{.minimum = lanes.minimum(),
                     .maximum = lanes.maximum(),
                     .sum = lanes.sum(),
                     .voxels = photons.size(),
                     .all_zero = lit == 0};
  if (type == v1::F32) {
    std::array<float, kStretch> stored;
    for (size_t k = 0; k < photons.size(); ++k) stored[k] = static_cast<float>(counts[k]);
    std::memcpy(raw.data(), stored.data(), photons.size() * sizeof(float));
  } else if (type == v1::U16) {
    StoreIntegers<uint16_t>(std::span(counts).first(photons.size()), raw.data(), totals.clipped);
  } else {
    StoreIntegers<uint8_t>(std::span(counts).first(photons.size()), raw.data(), totals.clipped);
  }
  return totals;
}

}  // namespace

CountTotals ToCounts(const CountScale& scale, bool keep_offset, std::span<const float> photons, v1::VoxelType type,
                     std::span<std::byte> raw) {
  const double offset = keep_offset ? scale.offset_counts : 0;
  const auto voxel_bytes = static_cast<size_t>(BytesPerVoxel(type));
  CountTotals totals;
  for (size_t i = 0; i < photons.size(); i += kStretch) {
    const std::span<const float> stretch = photons.subspan(i, std::min(kStretch, photons.size() - i));
    const std::span<std::byte> target = raw.subspan(i * voxel_bytes, stretch.size() * voxel_bytes);
    const auto convert = AllFinite(stretch) ? ConvertFinite : ConvertAny;
    totals.Merge(convert(scale.gain, offset, stretch, type, target));
  }
  return totals;
}

}  // namespace deconvoy::worker
