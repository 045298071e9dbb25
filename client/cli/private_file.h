// Small files that nobody but their owner may read.
#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <string_view>

namespace deconvoy::client {

// Replaces `file` by `content` in one step; it has mode 0600 from the start. An error says what could not be written.
absl::Status WritePrivateFile(const std::filesystem::path& file, std::string_view content);

// Refuses (exit code 7) a file that others may read or write.
absl::Status CheckPrivateFile(const std::filesystem::path& file);

}  // namespace deconvoy::client
