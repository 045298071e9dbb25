// The table `group_weights`, and the groups that users are in. Functions run inside the caller's transaction; errors
// are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::group_table {

absl::StatusOr<GroupRecord> SetWeight(Database& database, const std::string& group, double weight);
absl::StatusOr<Page<GroupRecord>> List(Database& database, int page_size, const std::string& page_token);

}  // namespace deconvoy::server::group_table
