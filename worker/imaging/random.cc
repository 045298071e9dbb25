#include "worker/imaging/random.h"

#include <array>
#include <bit>
#include <cmath>

namespace deconvoy::worker {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

// ln k! for whole k >= 0: Stirling's series, after the product for small k.
double LogFactorial(double k) {
  static const std::array<double, 16> small = [] {
    std::array<double, 16> table{};
    double product = 1;
    for (size_t i = 1; i < table.size(); ++i) table[i] = std::log(product *= static_cast<double>(i));
    return table;
  }();
  if (k < 16) return small[static_cast<size_t>(k)];
  constexpr double kHalfLogTwoPi = 0.91893853320467274178;
  const double n = k + 1, inverse = 1 / n, square = inverse * inverse;
  const double series = inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square / 1680)));
  return (n - 0.5) * std::log(n) - n + kHalfLogTwoPi + series;
}

}  // namespace

Random Random::OfVoxel(uint64_t seed, uint64_t stream, uint64_t index) {
  return Random(Mix(Mix(Mix(seed + kGolden) + stream * kGolden) + (index + 1) * kGolden));
}

uint64_t Random::Next() {
  return Mix(state_ += kGolden);
}

double Random::Uniform() {
  return static_cast<double>(Next() >> 11) * 0x1p-53;
}

double Random::Uniform(double low, double high) {
  return low + (high - low) * Uniform();
}

int64_t Random::Below(int64_t n) {
  // A remainder's bias is below n / 2^64.
  return static_cast<int64_t>(Next() % static_cast<uint64_t>(n));
}

double Random::Normal() {
  for (;;) {
    const double u = 2 * Uniform() - 1, v = 2 * Uniform() - 1, s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
  }
}

double Random::Poisson(double mean) {
  return mean < 10 ? SmallPoisson(mean) : LargePoisson(mean);
}

double Random::SmallPoisson(double mean) {
  double term = std::exp(-mean), left = Uniform();
  double k = 0;
  // 200 lies farther out than 2^-53 for any mean below 10.
  while (left >= term && k < 200) {
    left -= term;
    k += 1;
    term *= mean / k;
  }
  return k;
}

double Random::LargePoisson(double mean) {
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  const double log_mean = std::log(mean);
  for (;;) {
    const double u = Uniform() - 0.5, v = Uniform(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - LogFactorial(k)) return k;
  }
}

int64_t Random::Heads(int64_t n) {
  constexpr int64_t kMostCounted = 1024;
  return n <= kMostCounted ? FewHeads(n) : ManyHeads(n);
}

int64_t Random::FewHeads(int64_t n) {
  int64_t heads = 0;
  for (; n >= 64; n -= 64) heads += std::popcount(Next());
  return n > 0 ? heads + std::popcount(Next() >> (64 - n)) : heads;
}

int64_t Random::ManyHeads(int64_t n) {
  const auto count = static_cast<double>(n);
  const double deviation = std::sqrt(count) / 2, middle = std::floor((count + 1) / 2);
  const double b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * 0.5;
  const double alpha = (2.83 + 5.1 / b) * deviation, v_r = 0.92 - 4.2 / b;
  const double at_middle = LogFactorial(middle) + LogFactorial(count - middle);
  for (;;) {
    const double u = Uniform() - 0.5, v = Uniform(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + count / 2 + 0.5);
    if (us >= 0.07 && v <= v_r) return static_cast<int64_t>(k);
    if (k < 0 || k > count) continue;
    if (std::log(v * alpha / (a / (us * us) + b)) <= at_middle - LogFactorial(k) - LogFactorial(count - k)) {
      return static_cast<int64_t>(k);
    }
  }
}

}  // namespace deconvoy::worker
