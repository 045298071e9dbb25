// Checks and mends the state folder of a server that does not run.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "server/inspect/finding.h"
#include "server/inspect/spool_check.h"
#include "server/spool/file_system.h"

namespace deconvoy::server {

struct InspectorOptions {
  std::filesystem::path database;
  SpoolCheckOptions spool;
};

// Looks at everything and changes nothing; one thread calls. REQUIRES: the state folder's lock is held. A folder
// without database and volumes is sound. Errors: INCOMPATIBLE_VERSION for a database of another schema; those of the
// store.
absl::StatusOr<Inspection> Inspect(const InspectorOptions& options, FileSystem& files);

// Mends what can be mended of `inspection`, which Inspect has just returned, in an order in which an end at any point
// leaves something that Inspect finds again. `now` is for records of jobs. What a finding needs and others have made
// needless is passed over. Errors: the first thing that could not be done; then the rest is not tried.
absl::Status Repair(const InspectorOptions& options, FileSystem& files, const Inspection& inspection, absl::Time now);

}  // namespace deconvoy::server
