// The folders of this machine that files may be imported from and exported to, and who may use which.
//
// The server never opens a file in them: it finds out which folder a root's path leads to, and workers of this machine
// do the rest. Thread safe.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "deconvoy/v1/admin.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "server/store/user_record.h"

namespace deconvoy::server {

// One of them, as configured.
struct RootFolder {
  std::string name;            // see IsRootName of proto/contract/server_file.h; no two have the same
  std::filesystem::path path;  // absolute
  bool writable = false;       // files may be exported to it
};

class FileRoots {
 public:
  using RightsOf = std::function<FileRights(const std::string& owner)>;

  // None: every import and export is refused.
  FileRoots() = default;
  // `rights_of` is called by any thread.
  FileRoots(std::vector<RootFolder> roots, RightsOf rights_of)
      : roots_(std::move(roots)), rights_of_(std::move(rights_of)) {}

  // Those that the owner may use, by name.
  std::vector<v1::FileRoot> UsableBy(const std::string& owner) const;

  // Whether the owner may read or write `file` (`ROOT/PATH`) as far as the root goes; `field` names it in errors.
  // NO_FILE_ROOTS where none is configured; NOT_FOUND for a root that is not there for this owner; PATH_NOT_ALLOWED
  // for writing into one that is only read; those of ParseServerFile.
  absl::Status Check(const std::string& owner, const std::string& file, const std::string& field, bool write) const;

  // The same, and how a worker gets there. STORAGE_FAILURE, too, where the root's folder cannot be looked at.
  absl::StatusOr<v1::FileAccess> Access(const std::string& owner, const std::string& file, const std::string& field,
                                        bool write) const;

 private:
  absl::StatusOr<const RootFolder*> Find(const std::string& owner, const std::string& file, const std::string& field,
                                         bool write) const;

  std::vector<RootFolder> roots_;
  RightsOf rights_of_;
};

}  // namespace deconvoy::server
