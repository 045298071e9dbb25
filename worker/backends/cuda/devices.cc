#include "worker/backends/cuda/devices.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

namespace deconvoy::worker::cuda {

absl::StatusOr<std::vector<Device>> ListDevices() {
  int count = 0;
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorNoDevice || counted == cudaErrorInsufficientDriver) return std::vector<Device>{};
  if (counted != cudaSuccess) {
    return absl::InternalError(fmt::format("cudaGetDeviceCount failed: {}", cudaGetErrorString(counted)));
  }
  std::vector<Device> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties;
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) {
      return absl::InternalError(
          fmt::format("cudaGetDeviceProperties failed on device {}: {}", index, cudaGetErrorString(error)));
    }
    devices.push_back({.index = index,
                       .name = properties.name,
                       .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem),
                       .compute_major = properties.major,
                       .compute_minor = properties.minor});
  }
  return devices;
}

}  // namespace deconvoy::worker::cuda
