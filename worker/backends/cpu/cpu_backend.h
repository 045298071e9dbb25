// The CPU: FFTW in single precision, on a fixed number of threads.
#pragma once

#include <filesystem>
#include <memory>

#include "worker/backends/cpu/pinning.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

struct CpuOptions {
  int threads = 1;                      // >= 1
  std::filesystem::path wisdom_folder;  // where measured FFT plans are kept; empty: nowhere
  cpu::MachineShare pinned = {};        // to its processors the threads are tied
};

std::unique_ptr<Backend> MakeCpuBackend(const CpuOptions& options);

}  // namespace deconvoy::worker
