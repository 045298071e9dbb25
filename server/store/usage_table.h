// The tables `usage` and `shares`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::usage_table {

// Adds to what is kept for the owner and month.
absl::Status Add(Database& database, const UsageRecord& added);
// By owner and month, of the months from `first` to `last`, which may be empty for no bound.
absl::StatusOr<std::vector<UsageRecord>> List(Database& database, const std::string& first, const std::string& last);

// Replaces the owner's.
absl::Status SetShare(Database& database, const ShareRecord& share);
// By owner.
absl::StatusOr<std::vector<ShareRecord>> Shares(Database& database);

}  // namespace deconvoy::server::usage_table
