// Bins of a histogram whose widths rise with the value: 1/4096 of it. What is not above 0 is in bin 0.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace deconvoy::worker {

// A positive float's bits rise with its value; the leading ones are the bin: 12 of the mantissa.
inline constexpr int kDroppedBits = 11;
inline constexpr size_t kValueBins = size_t{1} << (31 - kDroppedBits);

inline size_t BinOf(double value) {
  return std::bit_cast<uint32_t>(static_cast<float>(std::max(value, 0.0))) >> kDroppedBits;
}

// The middle of a bin.
inline double ValueOf(size_t bin) {
  constexpr uint32_t kHalf = 1U << (kDroppedBits - 1);
  return bin == 0 ? 0 : std::bit_cast<float>(static_cast<uint32_t>(bin << kDroppedBits) + kHalf);
}

}  // namespace deconvoy::worker
