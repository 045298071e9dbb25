#include "worker/backends/cuda/cuda_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/backend_on.h"
#include "worker/backends/cuda/cuda_runtime.h"
#include "worker/backends/cuda/devices.h"
#include "worker/backends/cuda/kernels.h"
#include "worker/backends/cuda/measure.h"

namespace deconvoy::worker {
namespace {

constexpr double kShareOfFree = 0.9;
// What operations take beside arrays, of two tiles at a time.
constexpr int64_t kWorkspaceBytes = 2 * (int64_t{128} << 20);
// Kernels and plans.
constexpr int64_t kDriverBytes = int64_t{128} << 20;
constexpr int64_t kLeastBudget = int64_t{64} << 20;
constexpr int kNoKernelImage = 209;   // cudaErrorNoKernelImageForDevice
constexpr int kUnsupportedPtx = 222;  // cudaErrorUnsupportedPtxVersion

absl::StatusOr<cuda::Device> Chosen(const std::string& selector) {
  ASSIGN_OR_RETURN(const std::vector<cuda::Device> devices, cuda::ListDevices());
  return cuda::ChooseDevice(devices, selector);
}

}  // namespace

absl::StatusOr<int64_t> CudaBudgetBytes(const std::string& device) {
  ASSIGN_OR_RETURN(const cuda::Device chosen, Chosen(device));
  ASSIGN_OR_RETURN(const int64_t free, cuda::FreeBytes(chosen));
  const auto share = static_cast<int64_t>(kShareOfFree * static_cast<double>(free));
  return std::max(share - kWorkspaceBytes - kDriverBytes, kLeastBudget);
}

absl::StatusOr<std::unique_ptr<Backend>> MakeCudaBackend(const CudaOptions& options) {
  ASSIGN_OR_RETURN(const cuda::Device device, Chosen(options.device));
  int64_t budget = options.memory_budget_bytes;
  if (budget == 0) {
    ASSIGN_OR_RETURN(budget, CudaBudgetBytes(options.device));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<cuda::Runtime> runtime,
                   cuda::MakeCudaRuntime(device, budget + kWorkspaceBytes, options.separate_allocations));
  // A kernel of no work tells whether there is code for this device.
  ASSIGN_OR_RETURN(const std::unique_ptr<cuda::Stream> stream, runtime->MakeStream());
  ASSIGN_OR_RETURN(const cuda::Block number, runtime->arena().AllocateFloats(1));
  const int started = cuda::RunFill(stream->place(), 0, 1, number.floats());
  if (started == kNoKernelImage || started == kUnsupportedPtx) {
    return MakeError({.reason = v1::NO_WORKER,
                      .remedy = "Build deconvoy for it: name its compute capability in DECONVOY_CUDA_ARCHITECTURES."},
                     fmt::format("kernels do not start on {}: {}", cuda::Describe(device),
                                 std::string(stream->Check(started, "a kernel").message())));
  }
  RETURN_IF_ERROR(stream->Check(started, "starting a kernel"));
  RETURN_IF_ERROR(stream->Wait());
  return cuda::MakeBackendOn(std::move(runtime),
                             {.threads = options.threads,
                              .chunk_bytes = options.chunk_bytes > 0 ? options.chunk_bytes : cuda::kChunkBytes,
                              .accelerator = cuda::ToAccelerator(device)});
}

absl::StatusOr<DeviceSpeed> MeasureDevice(const std::string& device, const Shape3& shape, int repeats) {
  ASSIGN_OR_RETURN(const cuda::Device chosen, Chosen(device));
  ASSIGN_OR_RETURN(const int64_t budget, CudaBudgetBytes(device));
  ASSIGN_OR_RETURN(const std::unique_ptr<cuda::Runtime> runtime, cuda::MakeCudaRuntime(chosen, budget));
  return cuda::MeasureRuntime(*runtime, shape, repeats);
}

}  // namespace deconvoy::worker
