// The CUDA runtime and cuFFT on one device.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>

#include "worker/backends/cuda/devices.h"
#include "worker/backends/cuda/runtime.h"

namespace deconvoy::worker::cuda {

// Allocates `memory_bytes` of the device at once, and gives them back at the end; with `separate` as blocks are taken,
// up to as many. Errors: those of MakeCudaBackend.
absl::StatusOr<std::unique_ptr<Runtime>> MakeCudaRuntime(const Device& device, int64_t memory_bytes,
                                                         bool separate = false);

// Memory of the device that nobody has. Errors: INTERNAL, as above.
absl::StatusOr<int64_t> FreeBytes(const Device& device);

}  // namespace deconvoy::worker::cuda
