// Volumes that are kept under names, version by version: the tables of PSFs and of models, which are alike.
//
// Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server {

// One version of something with a name, as its row has it.
struct LibraryRecord {
  std::string owner;
  std::string id;
  int64_t number = 0;  // of the version, from 1
  std::string volume_id;
  absl::Time create_time = {};
  std::string description = {};  // a message of the contract, serialised
};

// Which of the libraries: `names` has (key, owner, id, last_number), `versions` (name, number, volume_id,
// create_time_ns, `column`).
class LibraryTable {
 public:
  struct Words {
    const char* names;
    const char* versions;
    const char* column;
    const char* noun;                                            // `PSF`
    const char* field;                                           // of requests that name one
    const char* remedy;                                          // where there is none of a name
    std::string (*name)(const std::string& id, int64_t number);  // the resource name
  };
  explicit LibraryTable(const Words& words) : words_(words) {}

  // Gives the next number. NOT_FOUND or VOLUME_INCOMPLETE where the volume is not the owner's or not complete.
  // REQUIRES: nothing keeps the volume.
  absl::Status Insert(Database& database, LibraryRecord& record) const;
  // `number` 0: the newest version.
  absl::StatusOr<LibraryRecord> Get(Database& database, const std::string& owner, const std::string& id,
                                    int64_t number) const;
  absl::StatusOr<std::optional<LibraryRecord>> FindByVolume(Database& database, const std::string& volume_id) const;
  // All versions of one, newest first (none is NOT_FOUND); with an empty `id` the newest version of each, by name.
  absl::StatusOr<Page<LibraryRecord>> List(Database& database, const std::string& owner, const std::string& id,
                                           int page_size, const std::string& page_token) const;
  // The token of the page that begins after this version.
  static std::string TokenAfter(int64_t number, const std::string& id);
  // Removes versions, with `number` 0 all, but not their volumes, whose ids are returned.
  absl::StatusOr<std::vector<std::string>> Delete(Database& database, const std::string& owner, const std::string& id,
                                                  int64_t number) const;
  // The record of a row cannot be read.
  absl::Status Damaged(const Database& database, const LibraryRecord& record) const;

 private:
  std::string Select(std::string_view rest) const;
  absl::Status NotFound(const std::string& id, int64_t number) const;
  absl::StatusOr<int64_t> Advance(Database& database, LibraryRecord& record) const;

  const Words words_;
};

}  // namespace deconvoy::server
