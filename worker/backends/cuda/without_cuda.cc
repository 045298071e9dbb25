// The CUDA backend of a build without the CUDA toolkit: there is none.
#include "proto/contract/error.h"
#include "worker/backends/cuda/cuda_backend.h"
#include "worker/backends/cuda/devices.h"

namespace deconvoy::worker {
namespace {

absl::Status NotBuilt() {
  return MakeError({.reason = v1::NO_WORKER,
                    .remedy = "Build deconvoy where the CUDA toolkit is installed, or compute on processors."},
                   "this build has no CUDA");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> MakeCudaBackend(const CudaOptions& /*options*/) {
  return NotBuilt();
}

absl::StatusOr<int64_t> CudaBudgetBytes(const std::string& /*device*/) {
  return NotBuilt();
}

absl::StatusOr<DeviceSpeed> MeasureDevice(const std::string& /*device*/, const Shape3& /*shape*/, int /*repeats*/) {
  return NotBuilt();
}

namespace cuda {

bool BuiltWithCuda() {
  return false;
}

absl::StatusOr<std::vector<Device>> ListDevices() {
  return std::vector<Device>{};
}

}  // namespace cuda

}  // namespace deconvoy::worker
