// An NVIDIA GPU: CUDA kernels and cuFFT in single precision, in one allocation of device memory.
//
// The same input gives the same bits on the same device. Threads: as worker/ops/backend.h says.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "worker/ops/backend.h"

namespace deconvoy::worker {

struct CudaOptions {
  std::string device;               // as `cuda::ChooseDevice` takes it; empty: the first one
  int64_t memory_budget_bytes = 0;  // of arrays, transforms and OTFs; 0: CudaBudgetBytes
  int threads = 1;                  // of the host, for what is computed beside the device; >= 1
  // Of planes or columns that are transformed together, as far as more than one fits; 0: half of a large device's
  // cache. Smaller ones have small domains take as many steps as large ones do.
  int64_t chunk_bytes = 0;
  // Each array is an allocation of its own rather than a part of one, so that tools tell them apart: slow.
  bool separate_allocations = false;
};

// Takes the device and its memory at once. Errors: FAILED_PRECONDITION with NO_WORKER when this build has no CUDA, the
// machine has no such device or the build no code for it; RESOURCE_EXHAUSTED with OUT_OF_MEMORY when the memory is not
// free; INTERNAL, naming call and device, when the driver fails.
absl::StatusOr<std::unique_ptr<Backend>> MakeCudaBackend(const CudaOptions& options);

// What tasks may use of the device's memory: 90 % of what is free now, less what plans and kernels take beside it.
// Errors: as MakeCudaBackend.
absl::StatusOr<int64_t> CudaBudgetBytes(const std::string& device);

struct DeviceSpeed {
  double copy_bytes_per_second = 0;    // read and written by the driver's own copy of a field inside the device
  double four_transforms_seconds = 0;  // of cuFFT in place over the whole field: forward and inverse, twice
};

// What the device does by itself, as the upper medians of `repeats`, on a field of this shape: to measure the backend
// against. Takes the device's free memory meanwhile. REQUIRES: repeats >= 1. Errors: as MakeCudaBackend;
// INVALID_ARGUMENT with INVALID_FIELD for a field of one column.
absl::StatusOr<DeviceSpeed> MeasureDevice(const std::string& device, const Shape3& shape, int repeats);

// Whether an error of this backend has left the process unable to use its device: it can only end, and another one be
// started. Errors that name memory or a wrong argument are not of this kind.
bool IsSticky(const absl::Status& status);

}  // namespace deconvoy::worker
