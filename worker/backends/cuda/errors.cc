#include "worker/backends/cuda/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "proto/contract/error.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::worker::cuda {
namespace {

// Numbers of cudaError_t that are part of its interface: invalid value, memory allocation, initialisation, invalid
// configuration, invalid pitch, invalid host pointer, invalid device pointer, invalid copy direction, insufficient
// driver, no device, invalid device, no kernel image, invalid resource handle, not ready, launch out of resources, host
// memory registered already, or not registered, not supported.
constexpr std::array kHarmless{1, 2, 3, 9, 12, 16, 17, 21, 35, 100, 101, 209, 400, 600, 701, 712, 713, 801};
constexpr int kMemoryAllocation = 2;

// Those of cufftResult: invalid plan, allocation, invalid type, invalid value, invalid size, unaligned data, invalid
// device, no workspace, not implemented, not supported, missing dependency.
constexpr std::array kHarmlessFft{1, 2, 3, 4, 8, 9, 11, 13, 14, 16, 17};
constexpr int kFftAllocation = 2;
constexpr int kFftInternal = 5;
constexpr int kFftSetup = 7;
constexpr int64_t kPlanBytes = int64_t{256} << 20;  // below, what fails of a plan may have failed for want of memory

absl::Status ToStatus(const Failure& failure, bool memory, bool sticky) {
  std::string text = fmt::format("{} failed on {}: {} ({})", failure.call, failure.device, failure.text, failure.code);
  if (failure.bytes > 0) text += fmt::format(", of {:.1f} MiB", static_cast<double>(failure.bytes) / 1048576);
  ErrorDetails details{.metadata = {{"call", std::string(failure.call)},
                                    {"device", std::string(failure.device)},
                                    {"code", fmt::format("{}", failure.code)}}};
  if (memory) {
    details.reason = v1::OUT_OF_MEMORY;
    details.remedy = "use smaller tiles, or leave more of the device's memory to the worker";
    return MakeError(details, text);
  }
  if (sticky) {
    details.metadata["sticky"] = "true";
    details.remedy = "the worker must end; if it happens again, look for faults of the device with nvidia-smi";
  }
  // No reason of its own says that a device failed; the code does.
  const absl::Status plain = MakeError(details, text);
  return FromWire(static_cast<int>(absl::StatusCode::kInternal), text, SerializedInfo(plain));
}

}  // namespace

bool IsStickyCode(int code) {
  return code != 0 && std::find(kHarmless.begin(), kHarmless.end(), code) == kHarmless.end();
}

bool IsStickyFftCode(int code) {
  return code != 0 && std::find(kHarmlessFft.begin(), kHarmlessFft.end(), code) == kHarmlessFft.end();
}

absl::Status CudaFailure(const Failure& failure) {
  return ToStatus(failure, failure.code == kMemoryAllocation, IsStickyCode(failure.code));
}

absl::Status CufftFailure(const Failure& failure) {
  const bool for_want = (failure.code == kFftInternal || failure.code == kFftSetup) && failure.planning_free_bytes &&
                        *failure.planning_free_bytes < kPlanBytes;
  return ToStatus(failure, failure.code == kFftAllocation || for_want, IsStickyFftCode(failure.code));
}

}  // namespace deconvoy::worker::cuda

namespace deconvoy::worker {

bool IsSticky(const absl::Status& status) {
  return InfoOf(status).metadata().contains("sticky");
}

}  // namespace deconvoy::worker
