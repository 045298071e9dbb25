// Looks for what cannot be in a store: tables that do not fit one another, jobs in states that no step leads to, tasks
// that are done without their voxels.
#pragma once

#include <absl/status/status.h>

#include <filesystem>

#include "server/inspect/finding.h"
#include "server/store/store.h"
#include "server/store/store_audit.h"

namespace deconvoy::server {

// What SQLite says of the file at `path`. Where this adds anything, nothing else of the store can be looked at.
absl::Status CheckDatabase(const std::filesystem::path& path, StoreAudit& audit, Inspection& inspection);

// Jobs, tasks, events and tokens, given what CheckSpool has added to `inspection`. `store` is open on the same file.
// Errors are those of the store.
absl::Status CheckJobs(const std::filesystem::path& path, StoreAudit& audit, Store& store, Inspection& inspection);

}  // namespace deconvoy::server
