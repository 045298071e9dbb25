// Random numbers that depend on their keys only, whatever the number of threads.
//
// SplitMix64 (Steele, Lea and Flood 2014): integers only. Each voxel has a generator of its own, keyed by seed, stream
// and the voxel's index. Whole and uniform numbers are the same on any machine. Poisson and normal numbers use
// + - * / sqrt, exp and log in double precision: the same bits with the same C library on the same kind of processor.
#pragma once

#include <cstdint>

namespace deconvoy::worker {

class Random {
 public:
  explicit Random(uint64_t key) : state_(key) {}
  // The generator of voxel `index`; different streams are independent.
  static Random OfVoxel(uint64_t seed, uint64_t stream, uint64_t index);

  uint64_t Next();
  double Uniform();                         // [0, 1), multiples of 2^-53
  double Uniform(double low, double high);  // [low, high)
  int64_t Below(int64_t n);                 // 0 to n - 1. REQUIRES: n >= 1

  // Normal with mean 0 and deviation 1 (Marsaglia's polar method).
  double Normal();
  // Poisson: inversion below a mean of 10, else transformed rejection (PTRS, Hoermann 1993), which is exact.
  // REQUIRES: 0 <= mean <= 1e15.
  double Poisson(double mean);
  // Of n, how many a fair coin takes: binomial with probability 1/2. The bits of n random ones are counted up to 1024,
  // else transformed rejection (BTRS, Hoermann 1993), which is exact. REQUIRES: 0 <= n <= 2^53.
  int64_t Heads(int64_t n);

 private:
  double SmallPoisson(double mean);
  double LargePoisson(double mean);
  int64_t FewHeads(int64_t n);
  int64_t ManyHeads(int64_t n);

  uint64_t state_;
};

}  // namespace deconvoy::worker
