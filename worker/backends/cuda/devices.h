// The NVIDIA devices that this machine offers, as the CUDA runtime sees them. Built with -DDECONVOY_CUDA=ON.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace deconvoy::worker::cuda {

struct Device {
  int index = 0;  // as CUDA counts them, after CUDA_VISIBLE_DEVICES
  std::string name;
  int64_t memory_bytes = 0;
  int compute_major = 0;  // compute capability
  int compute_minor = 0;
};

// None when there is no driver or no device: that is no error. INTERNAL, naming call and device, when the driver fails.
absl::StatusOr<std::vector<Device>> ListDevices();

}  // namespace deconvoy::worker::cuda
