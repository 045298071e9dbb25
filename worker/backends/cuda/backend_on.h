// The CUDA backend on whatever runs its kernels.
#pragma once

#include <memory>

#include "worker/backends/cuda/chunks.h"
#include "worker/backends/cuda/runtime.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

struct BackendOnOptions {
  int threads = 1;                    // of the host, for who computes beside it
  int64_t chunk_bytes = kChunkBytes;  // as `Chunks` takes it
  v1::Accelerator accelerator = {};   // what it is
};

std::unique_ptr<Backend> MakeBackendOn(std::unique_ptr<Runtime> runtime, const BackendOnOptions& options);

}  // namespace deconvoy::worker::cuda
