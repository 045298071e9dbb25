// The tables of the store and how an older database becomes a current one. Described in docs/formats/store.md.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "server/store/sqlite.h"

namespace deconvoy::server {

inline constexpr int kSchemaVersion = 9;

// Brings the database to version `to`, one durable step per version. FAILED_PRECONDITION with INCOMPATIBLE_VERSION
// for a database of a newer version, which is left as it is.
absl::Status Migrate(Database& database, int64_t to = kSchemaVersion);

}  // namespace deconvoy::server
