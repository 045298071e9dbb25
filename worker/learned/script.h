// Models that are programs by themselves (TorchScript). Each is run by a process of its own that may only compute
// (worker/learned/sandbox.h), started from this program's file: nothing of it is ever run, unpacked or unpickled in
// this process.
//
// This header needs no LibTorch; a build without it says so.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "worker/learned/network.h"

namespace deconvoy::worker::learned {

// What such a model's facts call its network.
inline constexpr std::string_view kScriptNetwork = "torchscript";

// Why no such model can be run here; empty: they can.
std::string ScriptsUnavailable();

// To be asked first in main, by a program that runs such models: the exit code where this process was started to run
// one, else nothing. Until it has been asked, the program runs none.
std::optional<int> RunScriptProcess(int argc, const char* const* argv);

// Memory for each voxel of a box: as known from an earlier check, or 0 to measure it, with a margin, on a box of about
// `kTrialExtent` voxels along each axis.
inline constexpr int64_t kTrialExtent = 64;
inline constexpr int64_t kTrialBytes = int64_t{1} << 30;  // that loading it, and the trial, may take at most

// `descriptor` as worker/learned/descriptor.h has it. The model's facts keep what is used of it. Errors: INVALID_FIELD
// (the descriptor, with the place; nothing can be run here, with the reason), BAD_MODEL (a file of another kind, one
// that its descriptor is not for, that cannot be loaded, or does not do what the descriptor says, takes too long, or
// ends its process), OUT_OF_MEMORY, LIMIT_EXCEEDED, CANCELLED once `stop` says so, INTERNAL for what is no fault of the
// model.
//
// Each box is given to a fresh copy of the model as it was loaded. One that means to can still pass on what it has seen
// to later boxes (a constant of its code that it writes into), so a model is for the data of one job.
absl::StatusOr<std::unique_ptr<Model>> LoadScript(std::span<const std::byte> file, std::string_view descriptor,
                                                  double bytes_per_voxel = 0, Stop stop = {});

}  // namespace deconvoy::worker::learned
