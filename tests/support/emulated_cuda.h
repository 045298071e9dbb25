// The CUDA backend on processors, for tests: its own operations and kernels, whose launches are loops, with FFTW in
// place of cuFFT. Memory that was never written holds what is not a number.
#pragma once

#include <cstdint>
#include <memory>

#include "worker/backends/cuda/runtime.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

struct EmulatedOptions {
  int64_t memory_bytes = int64_t{64} << 20;
  int64_t chunk_bytes = 2048;  // so that even small domains are of many chunks
  // The call of a stream, a kernel's start or a transform that fails, from 1, and those after it; 0: none.
  int64_t failing_call = 0;
  int error = 700;  // a cudaError_t: an illegal address
};

std::unique_ptr<Runtime> MakeEmulatedRuntime(const EmulatedOptions& options = {});

std::unique_ptr<Backend> MakeEmulatedCuda(const EmulatedOptions& options = {});

}  // namespace deconvoy::worker::cuda
