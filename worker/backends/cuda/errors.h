// Errors of the CUDA runtime and of cuFFT as statuses.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace deconvoy::worker::cuda {

// What failed, where.
struct Failure {
  std::string_view call;    // of the runtime, or what a kernel does
  std::string_view device;  // for people
  int code = 0;             // a cudaError_t, or a cufftResult
  std::string_view text;    // what the library says of it
  int64_t bytes = 0;        // that the call asked for; 0: none
  // Of a call of cuFFT that makes a plan: what was free of the device's memory, where that is known.
  std::optional<int64_t> planning_free_bytes = {};
};

// INTERNAL; RESOURCE_EXHAUSTED with OUT_OF_MEMORY where memory was lacking. The metadata have `call`, `device`, `code`,
// and `sticky` where IsSticky says so. cuFFT says of a plan for which memory lacks also that it failed inside, or to
// set itself up: where less than 256 MiB are free that is lack of memory.
absl::Status CudaFailure(const Failure& failure);
absl::Status CufftFailure(const Failure& failure);

// Whether a cudaError_t leaves its process without a device: all do but those that name what was asked for, memory or
// what is not there.
bool IsStickyCode(int code);
// Likewise of a cufftResult.
bool IsStickyFftCode(int code);

}  // namespace deconvoy::worker::cuda
