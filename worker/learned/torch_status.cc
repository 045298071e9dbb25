#include "worker/learned/torch_status.h"

#include <fmt/format.h>

#include "proto/contract/error.h"

namespace deconvoy::worker::learned {

absl::Status TorchError(std::string_view doing, std::string_view words) {
  const std::string_view first_line = words.substr(0, words.find('\n'));
  if (words.find("allocate") != std::string_view::npos || words.find("out of memory") != std::string_view::npos) {
    return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Give the worker more memory, or take smaller tiles."},
                     fmt::format("there is no memory left while {}: {}", doing, first_line));
  }
  return absl::InternalError(fmt::format("LibTorch failed while {}: {}", doing, Printable(first_line)));
}

}  // namespace deconvoy::worker::learned
