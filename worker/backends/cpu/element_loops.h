// What the element loops are made with.
#pragma once

#include <cstdint>

// One function body, compiled once per instruction set. The sanitizers' start-up does not bear the choice at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define DECONVOY_FOR_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DECONVOY_FOR_EACH_ISA
#endif

namespace deconvoy::worker::cpu {

constexpr int64_t kSums = 16;  // independent ones, so that a loop can be done in vectors

struct Sums {
  double lanes[kSums] = {};
  double total() const {
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    return sum;
  }
};

// Adds term(i) for i < n, in an order that is the same on every processor.
template <typename Term>
[[gnu::always_inline]] inline void SumOver(int64_t n, Sums& sums, const Term& term) {
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int64_t lane = 0; lane < kSums; ++lane) sums.lanes[lane] += term(i + lane);
  }
  for (int64_t lane = 0; i < n; ++i, ++lane) sums.lanes[lane] += term(i);
}

}  // namespace deconvoy::worker::cpu
