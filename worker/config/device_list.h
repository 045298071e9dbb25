// What could compute on this machine, as far as this build can see.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "deconvoy/v1/workers.pb.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// For people, a line per device: the processors, and the NVIDIA devices where the build looks for them, with their
// UUIDs.
std::string ListDevices(const Backend& processors);

// The NVIDIA devices alone; none where the build does not look for them, or nothing is there. Errors: those of the
// driver.
absl::StatusOr<v1::DeviceReport> ReportDevices();

// As JSON, with the field names of the proto and every field.
std::string ToJson(const v1::DeviceReport& report);

}  // namespace deconvoy::worker
