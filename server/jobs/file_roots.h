// The folders of this machine that files may be imported from and exported to, and who may use which.
//
// The server never opens a file in them: it finds out which folder a root's path leads to, and workers of this machine
// do the rest. Storage that does not answer delays nobody: a thread of its own looks at the folders every few seconds,
// and what it saw last is told. Thread safe.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <memory>
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
  // `rights_of` is called by any thread. Waits a second at most for a first look at the folders.
  FileRoots(std::vector<RootFolder> roots, RightsOf rights_of);
  FileRoots(FileRoots&&) = default;
  FileRoots& operator=(FileRoots&&) = delete;
  ~FileRoots();

  // Those that the owner may use, by name.
  std::vector<v1::FileRoot> UsableBy(const std::string& owner) const;

  // Whether each name that somebody is to be allowed is that of a root, or `*` for all; `field` names them in errors.
  // INVALID_FIELD, which tells those that there are.
  absl::Status CheckNames(const std::vector<std::string>& names, const std::string& field) const;

  // Whether the owner may read or write `file` (`ROOT/PATH`) as far as the root goes; `field` names it in errors.
  // NO_FILE_ROOTS where none is configured; NOT_FOUND for a root that is not there for this owner; PATH_NOT_ALLOWED
  // for writing into one that is only read; those of ParseServerFile.
  absl::Status Check(const std::string& owner, const std::string& file, const std::string& field, bool write) const;

  // The same, and how a worker gets there. STORAGE_FAILURE, too, where the root's folder was not there.
  absl::StatusOr<v1::FileAccess> Access(const std::string& owner, const std::string& file, const std::string& field,
                                        bool write) const;

 private:
  class Looks;

  absl::StatusOr<const RootFolder*> Find(const std::string& owner, const std::string& file, const std::string& field,
                                         bool write) const;

  std::vector<RootFolder> roots_;
  RightsOf rights_of_;
  std::shared_ptr<Looks> looks_;  // null without roots
};

}  // namespace deconvoy::server
