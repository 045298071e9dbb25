// Models that are programs, in a build without what runs them.
#include "proto/contract/error.h"
#include "worker/learned/script.h"

namespace deconvoy::worker::learned {

std::string ScriptsUnavailable() {
  return "this worker was built without LibTorch, yaml-cpp or libseccomp";
}

std::optional<int> RunScriptProcess(int /*argc*/, const char* const* /*argv*/) {
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<Model>> LoadScript(std::span<const std::byte> /*file*/, std::string_view /*descriptor*/,
                                                  double /*bytes_per_voxel*/, Stop /*stop*/) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "check_model.format",
                    .remedy = "Build the worker with libtorch-dev, libyaml-cpp-dev and libseccomp-dev."},
                   ScriptsUnavailable());
}

}  // namespace deconvoy::worker::learned
