// What Fourier transforms of each extent cost on a machine, as far as choosing padded extents goes.
//
// A cost is the time per padded voxel of an iteration whose domain has this extent along one axis, in 1/1000 of the
// time with the best extent there: 1000 and up. Integers, so that everybody chooses alike.
#pragma once

#include <absl/status/statusor.h>

#include <compare>
#include <cstdint>
#include <map>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy {

// Along x rows of reals are transformed, of even extent only; along y and z columns of complex numbers.
enum class FftAxis { kRow, kColumn };

// Plain value.
class FftCosts {
 public:
  static constexpr int64_t kBest = 1000;  // the cost of the best extent

  // Estimates from the prime factors.
  FftCosts() = default;

  // Measured costs, with the estimates for extents that are not listed. INVALID_FIELD for an extent or a cost out of
  // range, an extent named twice or an odd row.
  static absl::StatusOr<FftCosts> FromProto(const v1::FftCosts& measured);

  // By what was measured; an arbitrary order, in which nothing measured comes first.
  friend auto operator<=>(const FftCosts&, const FftCosts&) = default;

  // Cost of an extent. REQUIRES: extent >= 1.
  int64_t At(int64_t extent, FftAxis axis) const;

  // The extent n' >= n for which n' times its cost is least, the smaller one of equals, among those that were measured
  // or whose prime factors are at most 7; even for rows. REQUIRES: n >= 1.
  int64_t Best(int64_t n, FftAxis axis) const;

 private:
  const std::map<int64_t, int64_t>& Measured(FftAxis axis) const { return axis == FftAxis::kRow ? rows_ : columns_; }

  std::map<int64_t, int64_t> rows_, columns_;  // by extent
};

// Whether the prime factors of n are at most 7. REQUIRES: n >= 1.
bool IsSmooth(int64_t n);

}  // namespace deconvoy
