// What a device does by itself, to measure the backend against.
#pragma once

#include <absl/status/statusor.h>

#include "proto/contract/geometry.h"
#include "worker/backends/cuda/cuda_backend.h"
#include "worker/backends/cuda/runtime.h"

namespace deconvoy::worker::cuda {

// As MeasureDevice, in the runtime's memory, which is given back.
absl::StatusOr<DeviceSpeed> MeasureRuntime(Runtime& runtime, const Shape3& shape, int repeats);

}  // namespace deconvoy::worker::cuda
