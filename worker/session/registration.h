// How a worker introduces itself.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "deconvoy/v1/workers.pb.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// Without spool nonce and self-test. `tile_memory_bytes` is what a tile may use beside another one; 0: there is none
// beside it.
v1::WorkerRegistration MakeRegistration(const Backend& backend, int64_t memory_budget_bytes,
                                        int64_t tile_memory_bytes = 0);

// The nonce in a spool that this worker sees. Errors: STORAGE_FAILURE with the path.
absl::StatusOr<std::string> ReadSpoolNonce(const std::filesystem::path& spool);

// A name that no other process has: `workers/{id}`.
std::string NewWorkerName();

}  // namespace deconvoy::worker
