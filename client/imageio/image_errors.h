// The errors of this room, each beginning with the file it is about.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace deconvoy::imageio {

// INVALID_ARGUMENT: "`path`: message". `remedy` is one sentence or empty.
absl::Status FileError(const std::filesystem::path& path, std::string_view message, std::string_view remedy = {});

// What a system call said about `path`: NOT_FOUND for ENOENT, RESOURCE_EXHAUSTED for a full disk (with `need_bytes`, if
// known), INVALID_ARGUMENT for lack of permission, INTERNAL for anything else. `doing` completes "cannot be ...".
absl::Status SystemError(const std::filesystem::path& path, std::string_view doing, int error_number,
                         int64_t need_bytes = 0);

}  // namespace deconvoy::imageio
