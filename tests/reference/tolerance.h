// How far a method may be from its formula in double precision.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

namespace deconvoy::reference {

inline constexpr double kTolerance = 1e-5;       // relative L2
inline constexpr double kRoundingErrors = 1e-7;  // up to which single precision makes them
inline constexpr double kMostComparable = 1e-4;  // relative L2 between two runs of a formula that are comparable

// For steps that enlarge rounding from iteration to iteration, in any program. `rounding`: how far kRoundingErrors take
// the formula from itself.
inline double ToleranceOf(double rounding) {
  EXPECT_LE(rounding, kMostComparable) << "nothing can be compared";
  return std::max(kTolerance, 4 * rounding);
}

}  // namespace deconvoy::reference
