// The tables `psf_names` and `psfs`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::psf_table {

// Gives the next number, and fills what is filled on reading. REQUIRES: no PSF keeps the volume.
absl::Status Insert(Database& database, PsfRecord& psf);
absl::StatusOr<PsfRecord> Get(Database& database, const std::string& owner, const std::string& id, int64_t number);
absl::StatusOr<std::optional<PsfRecord>> FindByVolume(Database& database, const std::string& volume_id);
absl::StatusOr<Page<PsfRecord>> List(Database& database, const std::string& owner, const std::string& id, int page_size,
                                     const std::string& page_token);
// Removes versions, not their volumes, whose ids are returned.
absl::StatusOr<std::vector<std::string>> Delete(Database& database, const std::string& owner, const std::string& id,
                                                int64_t number);

}  // namespace deconvoy::server::psf_table
