// How a function is called for every position of a box: on the device where nvcc compiles it, and by loops that share
// out the work in the same way where another compiler does (tests/support).
//
// A block is kLanes x kRows threads, which take neighbouring rows of the box (x along the lanes). Sums are trees whose
// order follows from the box alone: each thread adds what it visits, each block its threads pairwise, and the host the
// blocks one after another. So they are the same on every device and every time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/backends/cuda/launch_place.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#define DECONVOY_DEVICE __host__ __device__ __forceinline__
#define DECONVOY_PRAGMA(text) _Pragma(#text)
#define DECONVOY_UNROLL(times) DECONVOY_PRAGMA(unroll times)
#else
#define DECONVOY_DEVICE inline
#define DECONVOY_UNROLL(times)
#endif

namespace deconvoy::worker::cuda {

constexpr int kLanes = 64;
constexpr int kRows = 4;
constexpr int kThreads = kLanes * kRows;
constexpr int64_t kMostBlocks = int64_t{1} << 20;
constexpr int64_t kMostSums = 1024;  // blocks that add up

inline int64_t BlocksFor(const Shape3& shape, int64_t most) {
  return std::clamp<int64_t>((shape.z * shape.y + kRows - 1) / kRows, 1, most);
}
// Sums that a call with this box leaves.
inline int64_t SumsFor(const Shape3& shape) {
  return BlocksFor(shape, kMostSums);
}

// The share of thread (row, lane) of one of `blocks` blocks. Extents fit into 31 bits (Convolver::Make), which saves
// the device half the registers of its loops.
template <typename Visit>
DECONVOY_DEVICE void VisitShare(const Shape3& shape, int64_t block, int64_t blocks, int row, int lane,
                                const Visit& visit) {
  const auto planes = static_cast<uint32_t>(shape.z), rows = static_cast<uint32_t>(shape.y),
             columns = static_cast<uint32_t>(shape.x);
  const auto first = static_cast<uint32_t>(block * kRows + row), step = static_cast<uint32_t>(blocks * kRows);
  const uint32_t step_z = step / rows, step_y = step - step_z * rows;
  uint32_t z = first / rows, y = first - z * rows;
  while (z < planes) {
    DECONVOY_UNROLL(1)
    for (auto x = static_cast<uint32_t>(lane); x < columns; x += kLanes) visit(z, y, x);
    z += step_z;
    y += step_y;
    if (y >= rows) {
      y -= rows;
      ++z;
    }
  }
}

constexpr int kHalfThreads = kThreads / 2;

#ifdef __CUDACC__

template <typename Visit>
__global__ void __launch_bounds__(kThreads)
    ForEachKernel(const __grid_constant__ Shape3 shape, const __grid_constant__ Visit visit) {
  VisitShare(shape, blockIdx.x, gridDim.x, static_cast<int>(threadIdx.y), static_cast<int>(threadIdx.x), visit);
}

template <typename Sums, typename Visit>
__global__ void __launch_bounds__(kThreads)
    SumKernel(const __grid_constant__ Shape3 shape, bool onto, Sums* totals, const __grid_constant__ Visit visit) {
  __shared__ Sums of_thread[kThreads];
  const int thread = static_cast<int>(threadIdx.y) * kLanes + static_cast<int>(threadIdx.x);
  Sums own = Sums::Nothing();
  VisitShare(shape, blockIdx.x, gridDim.x, static_cast<int>(threadIdx.y), static_cast<int>(threadIdx.x),
             [&](int64_t z, int64_t y, int64_t x) { visit(z, y, x, own); });
  of_thread[thread] = own;
  for (int half = kHalfThreads; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) of_thread[thread].Add(of_thread[thread + half]);
  }
  if (thread != 0) return;
  if (onto) {
    totals[blockIdx.x].Add(of_thread[0]);
  } else {
    totals[blockIdx.x] = of_thread[0];
  }
}

// Calls visit(z, y, x) for every position of the box. Returns a cudaError_t: that of the start.
template <typename Visit>
int ForEach(const LaunchPlace& place, const Shape3& shape, const Visit& visit) {
  if (shape.empty()) return cudaSuccess;
  if (const cudaError_t error = cudaSetDevice(place.device); error != cudaSuccess) return error;
  const dim3 grid(static_cast<unsigned>(BlocksFor(shape, kMostBlocks))), block(kLanes, kRows);
  ForEachKernel<<<grid, block, 0, static_cast<cudaStream_t>(place.stream)>>>(shape, visit);
  return cudaGetLastError();
}

// Calls visit(z, y, x, sums) for every position of the box and leaves SumsFor(shape) sums in memory of the device, or
// with `onto` adds to those that are there. Returns as ForEach.
template <typename Sums, typename Visit>
int Sum(const LaunchPlace& place, const Shape3& shape, bool onto, Sums* totals, const Visit& visit) {
  if (const cudaError_t error = cudaSetDevice(place.device); error != cudaSuccess) return error;
  const dim3 grid(static_cast<unsigned>(SumsFor(shape))), block(kLanes, kRows);
  SumKernel<Sums><<<grid, block, 0, static_cast<cudaStream_t>(place.stream)>>>(shape, onto, totals, visit);
  return cudaGetLastError();
}

#else

template <typename Visit>
int ForEach(const LaunchPlace& /*place*/, const Shape3& shape, const Visit& visit) {
  if (shape.empty()) return 0;
  const int64_t blocks = BlocksFor(shape, kMostBlocks);
  for (int64_t block = 0; block < blocks; ++block) {
    for (int row = 0; row < kRows; ++row) {
      for (int lane = 0; lane < kLanes; ++lane) VisitShare(shape, block, blocks, row, lane, visit);
    }
  }
  return 0;
}

template <typename Sums, typename Visit>
int Sum(const LaunchPlace& /*place*/, const Shape3& shape, bool onto, Sums* totals, const Visit& visit) {
  std::vector<Sums> of_thread(static_cast<size_t>(kThreads));
  const int64_t blocks = SumsFor(shape);
  for (int64_t block = 0; block < blocks; ++block) {
    for (int thread = 0; thread < kThreads; ++thread) {
      Sums own = Sums::Nothing();
      VisitShare(shape, block, blocks, thread / kLanes, thread % kLanes,
                 [&](int64_t z, int64_t y, int64_t x) { visit(z, y, x, own); });
      of_thread[static_cast<size_t>(thread)] = own;
    }
    for (size_t half = kHalfThreads; half > 0; half /= 2) {
      for (size_t thread = 0; thread < half; ++thread) of_thread[thread].Add(of_thread[thread + half]);
    }
    if (onto) {
      totals[block].Add(of_thread[0]);
    } else {
      totals[block] = of_thread[0];
    }
  }
  return 0;
}

#endif

// Calls visit(i) for all i below n.
template <typename Visit>
struct Line {
  int64_t n;
  Visit visit;
  DECONVOY_DEVICE void operator()(int64_t /*z*/, int64_t y, int64_t x) const {
    const int64_t i = y * kLineRow + x;
    if (i < n) visit(i);
  }
  static constexpr int64_t kLineRow = 1024;
};

template <typename Visit>
int ForEachOf(const LaunchPlace& place, int64_t n, const Visit& visit) {
  constexpr int64_t kRow = Line<Visit>::kLineRow;
  return ForEach(place, Shape3{1, (n + kRow - 1) / kRow, kRow}, Line<Visit>{n, visit});
}

}  // namespace deconvoy::worker::cuda
