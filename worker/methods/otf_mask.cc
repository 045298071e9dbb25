#include "worker/methods/otf_mask.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numbers>

namespace deconvoy::worker {
namespace {

constexpr double kShare = 0.9;
constexpr float kLeast = 2.5e-3F;   // of |h^(0)|
constexpr float kTies = 1 - 1e-5F;  // a frequency and its negative must fall on the same side
constexpr int kMajority = 14;       // of 27
constexpr double kWindowBegin = 0.8;
constexpr int64_t kFinest = 64;  // steps of s per unit

using Mask = std::vector<uint8_t>;

// A half spectrum and its symmetry.
struct HalfSpectrum {
  Shape3 domain;
  int64_t row;  // kx from 0 to row - 1

  explicit HalfSpectrum(const Shape3& shape) : domain(shape), row(shape.x / 2 + 1) {}
  // Of signed indices; REQUIRES: inside the sampled frequencies, kx >= 0.
  size_t At(int64_t kz, int64_t ky, int64_t kx) const {
    return static_cast<size_t>(((kz < 0 ? kz + domain.z : kz) * domain.y + (ky < 0 ? ky + domain.y : ky)) * row + kx);
  }
};

// Half a sample away from zero goes outwards, so that k and -k are treated alike.
int64_t RoundedRatio(int64_t k, int64_t numerator, int64_t denominator) {
  const int64_t magnitude = (2 * std::abs(k) * numerator + denominator) / (2 * denominator);
  return k < 0 ? -magnitude : magnitude;
}

// Narrows down where the largest values reach the share of the sum.
float Threshold(std::span<const float> magnitude) {
  std::vector<float> values(magnitude.begin(), magnitude.end());
  double sum = 0;
  for (const float v : values) sum += v;
  double missing = kShare * sum;
  auto begin = values.begin(), end = values.end();
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, std::greater<>());
    double upper = 0;
    for (auto v = begin; v != middle; ++v) upper += *v;
    if (upper >= missing) {
      end = middle;
    } else {
      missing -= upper;
      begin = middle;
    }
  }
  return std::max(*begin, kLeast * magnitude[0]);
}

// Sums over three neighbours along one axis of extent n, whose values are `stride` apart and which repeats itself.
void AddNeighbours(int64_t n, int64_t stride, int64_t first, const Mask& in, Mask& out) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t before = (i == 0 ? n : i) - 1, after = i + 1 == n ? 0 : i + 1;
    const auto at = [&](int64_t j) { return in[static_cast<size_t>(first + j * stride)]; };
    out[static_cast<size_t>(first + i * stride)] = static_cast<uint8_t>(at(before) + at(i) + at(after));
  }
}

// Index of the frequency whose kz and ky are the negative of those at (z, y), with the given kx.
size_t Opposite(const HalfSpectrum& half, int64_t z, int64_t y, int64_t kx) {
  return half.At(z == 0 ? 0 : half.domain.z - z, y == 0 ? 0 : half.domain.y - y, kx);
}

// The value at kx = -1 or kx = row, which is that at the negative frequency.
uint8_t BeyondRow(const HalfSpectrum& half, const Mask& in, int64_t z, int64_t y, int64_t kx) {
  return in[Opposite(half, z, y, kx < 0 ? -kx : half.domain.x - kx)];
}

void AddNeighboursAlongX(const HalfSpectrum& half, const Mask& in, Mask& out) {
  const int64_t n = half.row;
  for (int64_t z = 0; z < half.domain.z; ++z) {
    for (int64_t y = 0; y < half.domain.y; ++y) {
      const size_t first = static_cast<size_t>((z * half.domain.y + y) * n);
      for (int64_t x = 0; x < n; ++x) {
        const size_t i = first + static_cast<size_t>(x);
        const bool alone = half.domain.x == 1;
        const int before = x > 0 ? in[i - 1] : alone ? in[i] : BeyondRow(half, in, z, y, -1);
        const int after = x + 1 < n ? in[i + 1] : alone ? in[i] : BeyondRow(half, in, z, y, n);
        out[i] = static_cast<uint8_t>(before + in[i] + after);
      }
    }
  }
}

Mask Smoothed(const HalfSpectrum& half, const Mask& mask) {
  const Shape3& d = half.domain;
  Mask a(mask.size()), b(mask.size());
  AddNeighboursAlongX(half, mask, a);
  for (int64_t z = 0; z < d.z; ++z) {
    for (int64_t x = 0; x < half.row; ++x) AddNeighbours(d.y, half.row, z * d.y * half.row + x, a, b);
  }
  for (int64_t i = 0; i < d.y * half.row; ++i) AddNeighbours(d.z, d.y * half.row, i, b, a);
  for (uint8_t& count : a) count = count >= kMajority ? 1 : 0;
  return a;
}

// Calls visit(k) for k = 0, 1, -1, 2, -2, ..., all signed indices of n frequencies.
template <typename Visit>
void OutwardsFromZero(int64_t n, const Visit& visit) {
  for (int64_t k = 0; k <= n / 2; ++k) {
    if (k <= (n - 1) / 2) visit(k);
    if (k > 0) visit(-k);
  }
}

// Keeps what can be reached from zero frequency. Outwards along all axes, the next frequency on the way to zero has
// always been decided.
void KeepStar(const HalfSpectrum& half, Mask& mask) {
  OutwardsFromZero(half.domain.z, [&](int64_t kz) {
    OutwardsFromZero(half.domain.y, [&](int64_t ky) {
      for (int64_t kx = 0; kx < half.row; ++kx) {
        uint8_t& here = mask[half.At(kz, ky, kx)];
        const int64_t n = std::max({std::abs(kz), std::abs(ky), kx});
        if (n == 0) {
          here = 1;
        } else if (here != 0) {
          here = mask[half.At(RoundedRatio(kz, n - 1, n), RoundedRatio(ky, n - 1, n), RoundedRatio(kx, n - 1, n))];
        }
      }
    });
  });
}

// 64 s of r(k) = 1/s; 0 where no s leaves the mask. k is in the mask.
int64_t StepsToEdge(const HalfSpectrum& half, const Mask& mask, int64_t kz, int64_t ky, int64_t kx) {
  const auto inside = [&](int64_t s) {
    const int64_t z = RoundedRatio(kz, s, kFinest), y = RoundedRatio(ky, s, kFinest), x = RoundedRatio(kx, s, kFinest);
    const bool sampled = std::abs(z) <= half.domain.z / 2 && std::abs(y) <= half.domain.y / 2 && x < half.row;
    return !sampled || mask[half.At(z, y, x)] != 0;
  };
  constexpr int64_t kLast = static_cast<int64_t>(kFinest / kWindowBegin);
  for (int64_t s = kFinest + 1; s <= kLast; ++s) {
    if (!inside(s)) return s;
  }
  return 0;
}

float WindowAt(int64_t steps) {
  if (steps == 0) return 1;
  const double r = static_cast<double>(kFinest) / static_cast<double>(steps);
  const double c = std::cos(std::numbers::pi / 2 * (r - kWindowBegin) / (1 - kWindowBegin));
  return static_cast<float>(c * c);
}

// Where the half spectrum holds a frequency and its negative, both get the smaller of their values.
void MakeSymmetric(const HalfSpectrum& half, std::vector<float>& window) {
  for (int64_t x = 0; x < half.row; x += std::max<int64_t>(half.row - 1, 1)) {
    if (x > 0 && half.domain.x % 2 != 0) return;
    for (int64_t z = 0; z < half.domain.z; ++z) {
      for (int64_t y = 0; y < half.domain.y; ++y) {
        float& a = window[half.At(z, y, x)];
        float& b = window[Opposite(half, z, y, x)];
        a = b = std::min(a, b);
      }
    }
  }
}

}  // namespace

std::vector<float> OtfMaskWindow(const Shape3& domain, std::span<const float> magnitude) {
  const HalfSpectrum half(domain);
  const float least = kTies * Threshold(magnitude);
  Mask mask(magnitude.size());
  std::transform(magnitude.begin(), magnitude.end(), mask.begin(),
                 [&](float v) { return static_cast<uint8_t>(v >= least ? 1 : 0); });
  mask = Smoothed(half, mask);
  KeepStar(half, mask);
  std::vector<float> window(magnitude.size());
  OutwardsFromZero(domain.z, [&](int64_t kz) {
    OutwardsFromZero(domain.y, [&](int64_t ky) {
      for (int64_t kx = 0; kx < half.row; ++kx) {
        const size_t i = half.At(kz, ky, kx);
        if (mask[i] != 0) window[i] = WindowAt(StepsToEdge(half, mask, kz, ky, kx));
      }
    });
  });
  MakeSymmetric(half, window);
  return window;
}

}  // namespace deconvoy::worker
