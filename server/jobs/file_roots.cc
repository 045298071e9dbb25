#include "server/jobs/file_roots.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/server_file.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

bool MayUse(const FileRights& rights, const std::string& root) {
  return rights.all || std::ranges::find(rights.roots, root) != rights.roots.end();
}

absl::Status NoRoots(const std::string& field) {
  return MakeError({.reason = v1::NO_FILE_ROOTS,
                    .field = field,
                    .remedy = "Name folders with files.read_only and files.read_write in the configuration of "
                              "deconvoyd, and allow users to use them with `deconvoy admin user set --files`; or send "
                              "the file with the client."},
                   "this server has no folders that files may be imported from or exported to");
}

absl::Status NotThere(const RootFolder& root, std::string_view what) {
  return MakeError({.reason = v1::STORAGE_FAILURE,
                    .remedy = "Ask an administrator to see that the storage is mounted.",
                    .metadata = {{"root", root.name}}},
                   fmt::format("the folder of the root \"{}\" cannot be used: {}", root.name, what));
}

}  // namespace

std::vector<v1::FileRoot> FileRoots::UsableBy(const std::string& owner) const {
  std::vector<v1::FileRoot> usable;
  if (roots_.empty()) return usable;
  const FileRights rights = rights_of_(owner);
  for (const RootFolder& root : roots_) {
    if (!MayUse(rights, root.name)) continue;
    v1::FileRoot& shown = usable.emplace_back();
    shown.set_name(root.name);
    shown.set_writable(root.writable);
  }
  std::ranges::sort(usable, {}, [](const v1::FileRoot& root) { return root.name(); });
  return usable;
}

absl::StatusOr<const RootFolder*> FileRoots::Find(const std::string& owner, const std::string& file,
                                                  const std::string& field, bool write) const {
  ASSIGN_OR_RETURN(const ServerFile named, ParseServerFile(file, field));
  if (roots_.empty()) return NoRoots(field);
  const auto found = std::ranges::find(roots_, named.root, &RootFolder::name);
  if (found == roots_.end() || !MayUse(rights_of_(owner), named.root)) {
    return MakeError({.reason = v1::NOT_FOUND,
                      .field = field,
                      .remedy = "`deconvoy volumes roots` lists those that you may use; an administrator allows more."},
                     fmt::format("there is no root \"{}\" for you", named.root));
  }
  if (write && !found->writable) {
    return MakeError({.reason = v1::PATH_NOT_ALLOWED,
                      .field = field,
                      .remedy = "`deconvoy volumes roots` tells which ones may be written."},
                     fmt::format("files in the root \"{}\" may be read only", named.root));
  }
  return &*found;
}

absl::Status FileRoots::Check(const std::string& owner, const std::string& file, const std::string& field,
                              bool write) const {
  return Find(owner, file, field, write).status();
}

absl::StatusOr<v1::FileAccess> FileRoots::Access(const std::string& owner, const std::string& file,
                                                 const std::string& field, bool write) const {
  ASSIGN_OR_RETURN(const RootFolder* root, Find(owner, file, field, write));
  ASSIGN_OR_RETURN(const ServerFile named, ParseServerFile(file, field));
  struct stat state {};
  if (stat(root->path.c_str(), &state) != 0) return NotThere(*root, std::generic_category().message(errno));
  if (!S_ISDIR(state.st_mode)) return NotThere(*root, "it is not a folder");
  v1::FileAccess access;
  access.set_root_path(root->path.string());
  access.set_root_device(state.st_dev);
  access.set_root_inode(state.st_ino);
  access.set_path(named.path);
  access.set_file(file);
  return access;
}

}  // namespace deconvoy::server
