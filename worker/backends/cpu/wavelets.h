// Orthonormal wavelet transforms of arrays, in place.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "worker/backends/cpu/fft_plans.h"
#include "worker/backends/cpu/rows.h"
#include "worker/backends/cpu/thread_pool.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

// One scale of a wavelet transform of a line: `extent` numbers to and from ceil(extent/2) coarse ones and the fine ones
// after them. Constant; threads may share it, each with a scratch of its own.
class WaveletLine {
 public:
  virtual ~WaveletLine() = default;
  // `in` and `out` are apart and aligned to 64 bytes; `scratch` has room for 4 (extent + 16) floats. `in` is destroyed.
  virtual void Split(float* in, float* out, float* scratch) const = 0;
  virtual void Join(float* in, float* out, float* scratch) const = 0;
};

// REQUIRES: extent >= 2.
std::unique_ptr<const WaveletLine> MakeWaveletLine(Wavelet wavelet, int64_t extent,
                                                   const std::filesystem::path& wisdom_folder);

// As `Ops::ShrinkWavelets`.
double ShrinkWavelets(const WaveletShrinkage& shrinkage, const std::filesystem::path& wisdom_folder, CpuArray& array,
                      ThreadPool& pool);

}  // namespace deconvoy::worker::cpu
