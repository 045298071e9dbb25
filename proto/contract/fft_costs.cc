#include "proto/contract/fft_costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr int64_t kMostCost = 100'000;

// Estimates by the power of two in the extent: 2^0 to 2^3, and 2^4 or more. Medians measured with FFTW 3.3.10 on an
// x86-64 processor with AVX-512 (docs/performance.md).
constexpr int64_t kRowCosts[] = {1740, 1600, 1370, 1200, 1110};  // odd ones only of periodic frames, without a choice
constexpr int64_t kColumnCosts[] = {1740, 1510, 1210, 1190, 1110};
constexpr int64_t kLargestQuickPower = 1024;  // powers of two up to this one are transformed in the first-level cache

int64_t Estimate(int64_t extent, FftAxis axis) {
  if (extent == 1) return FftCosts::kBest;
  const int twos = __builtin_ctzll(static_cast<unsigned long long>(extent));
  const bool power = extent == int64_t{1} << twos;
  if (power && extent <= kLargestQuickPower) return FftCosts::kBest;
  const int column = std::min(twos, 4);
  return axis == FftAxis::kRow ? kRowCosts[column] : kColumnCosts[column];
}

absl::Status Invalid(const char* kind, int64_t extent, const char* what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "registration.fft_costs"},
                   fmt::format("the cost of {} of {} {}", kind, extent, what));
}

absl::Status Read(const google::protobuf::RepeatedPtrField<v1::FftCost>& listed, bool even, const char* kind,
                  std::map<int64_t, int64_t>& costs) {
  for (const v1::FftCost& one : listed) {
    const int64_t extent = one.extent(), cost = one.cost();
    if (extent < 1 || extent > limits::kAxisVoxels) return Invalid(kind, extent, "is not that of an extent");
    if (even && extent % 2 != 0) return Invalid(kind, extent, "is that of an odd extent");
    if (cost < FftCosts::kBest || cost > kMostCost) return Invalid(kind, extent, "is out of range");
    if (!costs.emplace(extent, cost).second) return Invalid(kind, extent, "is named twice");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsSmooth(int64_t n) {
  for (const int64_t prime : {2, 3, 5, 7}) {
    while (n % prime == 0) n /= prime;
  }
  return n == 1;
}

absl::StatusOr<FftCosts> FftCosts::FromProto(const v1::FftCosts& measured) {
  FftCosts costs;
  RETURN_IF_ERROR(Read(measured.rows(), /*even=*/true, "rows", costs.rows_));
  RETURN_IF_ERROR(Read(measured.columns(), /*even=*/false, "columns", costs.columns_));
  return costs;
}

int64_t FftCosts::At(int64_t extent, FftAxis axis) const {
  const auto& measured = Measured(axis);
  const auto found = measured.find(extent);
  return found != measured.end() ? found->second : Estimate(extent, axis);
}

int64_t FftCosts::Best(int64_t n, FftAxis axis) const {
  int64_t best = 0, least = std::numeric_limits<int64_t>::max();
  const auto consider = [&](int64_t extent) {
    const int64_t total = extent * At(extent, axis);
    if (total > least || (total == least && extent > best)) return;
    best = extent;
    least = total;
  };
  const auto worth = [&](int64_t extent) { return extent <= least / FftCosts::kBest; };
  for (int64_t seven = 1; worth(seven); seven *= 7) {
    for (int64_t five = seven; worth(five); five *= 5) {
      for (int64_t three = five; worth(three); three *= 3) {
        int64_t extent = axis == FftAxis::kRow ? 2 * three : three;
        while (extent < n) extent *= 2;
        for (; worth(extent); extent *= 2) consider(extent);
      }
    }
  }
  for (auto at = Measured(axis).lower_bound(n); at != Measured(axis).end() && worth(at->first); ++at)
    consider(at->first);
  return best;
}

}  // namespace deconvoy
