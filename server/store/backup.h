// A copy of the database, made while a server runs on it.
#pragma once

#include <absl/status/status.h>

#include <filesystem>

namespace deconvoy::server {

// Copies the database at `source` into the new file `target`, as it is after one of its transactions; neither readers
// nor writers wait. The copy is one file, complete and durable when this returns OK, and nothing is there when it
// fails. Its counter of fencing tokens is ahead by 2^32: tokens that the server gives out after the copy was made are
// never used again by one that starts from the copy.
//
// Errors: NOT_FOUND when there is no database; INVALID_FIELD when `target` is there already or its folder is not;
// INCOMPATIBLE_VERSION; STORAGE_FAILURE, also when the copy turns out damaged; DISK_FULL.
absl::Status BackUpDatabase(const std::filesystem::path& source, const std::filesystem::path& target);

}  // namespace deconvoy::server
