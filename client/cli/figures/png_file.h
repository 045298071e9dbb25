// Grey pictures as PNG files.
#pragma once

#include <absl/status/status.h>

#include <filesystem>

#include "client/cli/figures/canvas.h"

namespace deconvoy::client {

// Replaces `path` at once when complete. Errors: those of imageio::CheckPlace.
absl::Status WritePng(const std::filesystem::path& path, const Canvas& canvas);

}  // namespace deconvoy::client
