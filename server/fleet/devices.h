// Devices beside the processors: which the worker program sees, and which of them get a worker.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::server {

// The devices that a worker sees where CUDA_VISIBLE_DEVICES is `visible`; as in this process where that is empty.
using DeviceLister = std::function<absl::StatusOr<std::vector<v1::Accelerator>>(const std::string& visible)>;

// Asks the worker program (`--devices --json`). Errors: INVALID_FIELD of workers.command when it cannot be started,
// fails, takes longer than half a minute, or answers something else. The program is asked whenever the lister is.
DeviceLister ListerOf(const std::filesystem::path& program);

// The devices that `workers.gpus` names, in its order: none, all, or those of a list of indices and UUIDs, which may be
// cut short. An instance of MIG that a program does not see among others is found by its whole UUID. Errors:
// INVALID_FIELD of workers.gpus for a device that is not there, more than one for that beginning, or twice the same;
// those of the lister, which is not asked for none.
absl::StatusOr<std::vector<v1::Accelerator>> ChooseDevices(const std::string& gpus, const DeviceLister& lister);

}  // namespace deconvoy::server
