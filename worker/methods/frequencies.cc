#include "worker/methods/frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

// w^2 by index along an axis of n voxels.
std::vector<double> Squares(int64_t n, int64_t count) {
  std::vector<double> squares(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double w = 2 * std::numbers::pi * static_cast<double>(i <= n / 2 ? i : i - n) / static_cast<double>(n);
    squares[static_cast<size_t>(i)] = w * w;
  }
  return squares;
}

// `value(w^2)` of every frequency of the half spectrum.
template <typename Value>
auto OfSquares(const Shape3& domain, const Value& value) {
  const std::vector<double> z2 = Squares(domain.z, domain.z), y2 = Squares(domain.y, domain.y),
                            x2 = Squares(domain.x, domain.x / 2 + 1);
  std::vector<decltype(value(0.0))> values;
  values.reserve(z2.size() * y2.size() * x2.size());
  for (const double z : z2) {
    for (const double y : y2) {
      for (const double x : x2) values.push_back(value(z + y + x));
    }
  }
  return values;
}

// factor^2 (2 - 2 cos w) by index along an axis of n voxels.
std::vector<double> DifferencePowers(int64_t n, int64_t count, double factor) {
  std::vector<double> powers(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double root = 2 * factor * std::sin(std::numbers::pi * static_cast<double>(i) / static_cast<double>(n));
    powers[static_cast<size_t>(i)] = root * root;
  }
  return powers;
}

}  // namespace

std::vector<float> FourthPowers(const Shape3& domain, double factor) {
  return OfSquares(domain, [factor](double square) { return static_cast<float>(factor * square * square); });
}

std::vector<uint8_t> ShellsOf(const Shape3& domain, int shells) {
  return OfSquares(domain, [shells](double square) {
    const int shell = static_cast<int>(std::sqrt(square) * shells / std::numbers::pi);
    return static_cast<uint8_t>(std::min(shell, shells - 1));
  });
}

void AddEigenvalues(const Shape3& domain, Slopes slopes, const std::array<float, 3>& factors,
                    std::vector<float>& values) {
  if (slopes == Slopes::kNone) return;
  const std::vector<double> along_z = DifferencePowers(domain.z, domain.z, factors[0]),
                            along_y = DifferencePowers(domain.y, domain.y, factors[1]),
                            along_x = DifferencePowers(domain.x, domain.x / 2 + 1, factors[2]);
  auto value = values.begin();
  for (const double z : along_z) {
    for (const double y : along_y) {
      for (const double x : along_x) {
        const double e = z + y + x;
        *value++ += static_cast<float>(slopes == Slopes::kFirst ? e : e * e);
      }
    }
  }
}

absl::StatusOr<std::vector<float>> MagnitudeOf(Ops& ops, const Otf& otf) {
  const Shape3& d = ops.domain();
  std::vector<float> magnitude(static_cast<size_t>(d.z * d.y * (d.x / 2 + 1)));
  RETURN_IF_ERROR(ops.ReadMagnitude(otf, magnitude));
  return magnitude;
}

}  // namespace deconvoy::worker
