#include "worker/backends/cuda/devices.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "worker/backends/cuda/errors.h"

namespace deconvoy::worker::cuda {
namespace {

std::string UuidText(const cudaUUID_t& uuid) {
  std::string text;
  for (size_t i = 0; i < sizeof uuid.bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(uuid.bytes[i]));
  }
  return text;
}

absl::Status Failed(cudaError_t error, std::string_view call, std::string_view device) {
  cudaGetLastError();  // else the start of the thread's first kernel tells it again
  return CudaFailure({.call = call, .device = device, .code = error, .text = cudaGetErrorString(error)});
}

}  // namespace

bool BuiltWithCuda() {
  return true;
}

absl::StatusOr<std::vector<Device>> ListDevices() {
  int count = 0;
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorNoDevice || counted == cudaErrorInsufficientDriver) return std::vector<Device>{};
  if (counted != cudaSuccess) return Failed(counted, "cudaGetDeviceCount", "any device");
  int driver = 0;
  if (const cudaError_t error = cudaDriverGetVersion(&driver); error != cudaSuccess) {
    return Failed(error, "cudaDriverGetVersion", "any device");
  }
  std::ifstream kernel("/proc/driver/nvidia/version");
  const std::string version =
      DriverVersionIn(std::string(std::istreambuf_iterator<char>(kernel), std::istreambuf_iterator<char>()));
  std::vector<Device> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties;
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) {
      return Failed(error, "cudaGetDeviceProperties", fmt::format("device {}", index));
    }
    devices.push_back({.index = index,
                       .name = properties.name,
                       .uuid = UuidText(properties.uuid),
                       .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem),
                       .compute_major = properties.major,
                       .compute_minor = properties.minor,
                       .driver = driver,
                       .driver_version = version});
  }
  return devices;
}

}  // namespace deconvoy::worker::cuda
