// Small files beside the database that other processes read.
#pragma once

#include <absl/status/status.h>
#include <sys/types.h>

#include <filesystem>
#include <string_view>

namespace deconvoy::server {

// Replaces `file` by `content` in one step: a reader sees the old or the new content, never a part. The file has
// `mode`.
absl::Status ReplaceFile(const std::filesystem::path& file, std::string_view content, mode_t mode);

}  // namespace deconvoy::server
