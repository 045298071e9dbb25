// The tables `model_names` and `models`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::model_table {

// Gives the next number, and fills what is filled on reading. REQUIRES: nothing keeps the volume.
absl::Status Insert(Database& database, ModelRecord& model);
absl::StatusOr<ModelRecord> Get(Database& database, const std::string& owner, const std::string& id, int64_t number);
absl::StatusOr<std::optional<ModelRecord>> FindByVolume(Database& database, const std::string& volume_id);
absl::StatusOr<Page<ModelRecord>> List(Database& database, const std::string& owner, const std::string& id,
                                       int page_size, const std::string& page_token);
// Removes versions, not their volumes, whose ids are returned.
absl::StatusOr<std::vector<std::string>> Delete(Database& database, const std::string& owner, const std::string& id,
                                                int64_t number);

}  // namespace deconvoy::server::model_table
