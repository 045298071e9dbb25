#include "server/jobs/file_roots.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/server_file.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr std::chrono::seconds kBetweenLooks{5};
constexpr std::chrono::seconds kFirstLook{1};

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

// What was seen last of each root. Its thread is left to itself: the system may keep it in a look for ever, where the
// storage does not answer, and then it must not keep the server from ending.
class FileRoots::Looks {
 public:
  // What lies at a root's path.
  struct Look {
    uint64_t device = 0;
    uint64_t inode = 0;
    std::string missing = {};  // why it is no folder; empty if it is
  };

  // Waits for the first round, but not for long.
  static std::shared_ptr<Looks> Begin(std::vector<RootFolder> roots) {
    auto looks = std::make_shared<Looks>();
    std::thread([looks, roots = std::move(roots)] { looks->Run(roots); }).detach();
    std::unique_lock lock(looks->mutex_);
    looks->changed_.wait_for(lock, kFirstLook, [&looks] { return looks->rounds_ > 0; });
    return looks;
  }

  void End() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }

  // Nothing before the first look has ended.
  std::optional<Look> Last(const std::string& root) const {
    std::lock_guard lock(mutex_);
    const auto found = seen_.find(root);
    return found == seen_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  static Look At(const std::filesystem::path& path) {
    struct stat state {};
    if (stat(path.c_str(), &state) != 0) return {.missing = std::generic_category().message(errno)};
    if (!S_ISDIR(state.st_mode)) return {.missing = "it is not a folder"};
    return {.device = state.st_dev, .inode = state.st_ino};
  }

  void Run(const std::vector<RootFolder>& roots) {
    for (bool ended = false; !ended;) {
      for (const RootFolder& root : roots) Note(root, At(root.path));
      std::unique_lock lock(mutex_);
      ++rounds_;
      changed_.notify_all();
      ended = changed_.wait_for(lock, kBetweenLooks, [this] { return ended_; });
    }
  }

  void Note(const RootFolder& root, Look look) {
    std::lock_guard lock(mutex_);
    const auto before = seen_.find(root.name);
    const bool was_there = before == seen_.end() || before->second.missing.empty();
    if (was_there && !look.missing.empty()) {
      spdlog::warn("{}, the folder for files \"{}\", cannot be used: {}", Printable(root.path.string()), root.name,
                   look.missing);
    } else if (!was_there && look.missing.empty()) {
      spdlog::info("{}, the folder for files \"{}\", is there now", Printable(root.path.string()), root.name);
    }
    seen_[root.name] = std::move(look);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;   // notified when a round has ended, and by End
  std::map<std::string, Look> seen_;  // by root; guarded by mutex_
  int64_t rounds_ = 0;                // guarded by mutex_
  bool ended_ = false;                // guarded by mutex_
};

FileRoots::FileRoots(std::vector<RootFolder> roots, RightsOf rights_of)
    : roots_(std::move(roots)),
      rights_of_(std::move(rights_of)),
      looks_(roots_.empty() ? nullptr : Looks::Begin(roots_)) {}

FileRoots::~FileRoots() {
  if (looks_ != nullptr) looks_->End();
}

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

absl::Status FileRoots::CheckNames(const std::vector<std::string>& names, const std::string& field) const {
  const auto unknown = std::ranges::find_if(names, [this](const std::string& name) {
    return name != "*" && std::ranges::find(roots_, name, &RootFolder::name) == roots_.end();
  });
  if (unknown == names.end()) return absl::OkStatus();
  std::vector<std::string> configured;
  for (const RootFolder& root : roots_) configured.push_back(root.name);
  std::ranges::sort(configured);
  const std::string all = configured.empty() ? "none" : fmt::format("{}", fmt::join(configured, ", "));
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = field,
                    .remedy = "Name some that there are, or add the folder to files.read_only or files.read_write in "
                              "the configuration of deconvoyd and start it again."},
                   fmt::format("the server has no root \"{}\"; those that it has: {}", Printable(*unknown), all));
}

absl::Status FileRoots::Check(const std::string& owner, const std::string& file, const std::string& field,
                              bool write) const {
  return Find(owner, file, field, write).status();
}

absl::StatusOr<v1::FileAccess> FileRoots::Access(const std::string& owner, const std::string& file,
                                                 const std::string& field, bool write) const {
  ASSIGN_OR_RETURN(const RootFolder* root, Find(owner, file, field, write));
  ASSIGN_OR_RETURN(const ServerFile named, ParseServerFile(file, field));
  const std::optional<Looks::Look> look = looks_->Last(root->name);
  if (!look) return NotThere(*root, "it does not answer");
  if (!look->missing.empty()) return NotThere(*root, look->missing);
  v1::FileAccess access;
  access.set_root_path(root->path.string());
  access.set_root_device(look->device);
  access.set_root_inode(look->inode);
  access.set_path(named.path);
  access.set_file(file);
  return access;
}

}  // namespace deconvoy::server
