// The NVIDIA devices that this process may use, as the CUDA runtime sees them: after CUDA_VISIBLE_DEVICES, and with an
// instance of a divided device (MIG) as a device of its own.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::worker::cuda {

struct Device {
  int index = 0;  // as CUDA counts them, after CUDA_VISIBLE_DEVICES
  std::string name;
  std::string uuid;  // without `GPU-` or `MIG-`: 8-4-4-4-12 hexadecimal digits
  int64_t memory_bytes = 0;
  int compute_major = 0;  // compute capability
  int compute_minor = 0;
  int driver = 0;                   // the newest CUDA that the driver serves: 13000 is 13.0
  std::string driver_version = {};  // the driver's own; empty where it is not known
};

// Whether this build looks for devices at all.
bool BuiltWithCuda();

// None when there is no driver or no device, or this build has no CUDA: that is no error. INTERNAL, naming call and
// device, when the driver fails.
absl::StatusOr<std::vector<Device>> ListDevices();

// The device of this index, or whose UUID begins with `selector`, with or without `GPU-` or `MIG-`; the first one where
// that is empty. Errors: FAILED_PRECONDITION with NO_WORKER, saying what there is, when there is none, or more than one
// for that beginning.
absl::StatusOr<Device> ChooseDevice(std::span<const Device> devices, std::string_view selector);

// `580.65.06` of what the kernel says of the driver (/proc/driver/nvidia/version): the first word that is numbers with
// dots between them. Empty where there is none.
std::string DriverVersionIn(std::string_view text);

// `12.8` of 12080.
std::string VersionText(int version);

// As workers tell of it. An instance of MIG is known by its name.
v1::Accelerator ToAccelerator(const Device& device);

// For people: name, memory, compute capability and driver.
std::string Describe(const Device& device);

}  // namespace deconvoy::worker::cuda
