// The table `previews`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::preview_table {

// Puts the maxima of the addition beside those that are there of its channel. A newer time point takes the place of an
// older one, of which nothing is taken any more. The same again changes nothing.
absl::Status Add(Database& database, int64_t job, const PreviewAddition& addition);
// NOT_FOUND where the job or a preview of the channel is not there.
absl::StatusOr<v1::Preview> Get(Database& database, const std::string& job_id, uint32_t c);

}  // namespace deconvoy::server::preview_table
