#include "server/schedule/server_core.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

// Opening removes the files of volumes that the database does not name. That must not happen to all of them because
// the database has been moved away: a spool with volumes is never older than its database.
absl::Status CheckDatabaseIsThere(const ServerCore::Options& options) {
  std::error_code ignored;
  if (std::filesystem::exists(options.database, ignored)) return absl::OkStatus();
  std::filesystem::directory_iterator entries(options.spool.directory / "volumes", ignored);
  const bool volumes = !ignored && std::any_of(begin(entries), end(entries),
                                               [](const auto& entry) { return entry.path().extension() == ".raw"; });
  if (!volumes) return absl::OkStatus();
  return MakeError({.reason = v1::STORAGE_FAILURE,
                    .remedy = "Restore the whole state folder from a backup, or move the spool away to start anew.",
                    .metadata = {{"path", options.database.string()}}},
                   fmt::format("{} is missing, but there are volumes in {}", options.database.string(),
                               options.spool.directory.string()));
}

// A user's own quota, and where it says nothing the usual one.
v1::Quota QuotaOfUser(const Accounts& accounts, const v1::Quota& usual, const std::string& owner) {
  v1::Quota quota = usual;
  const std::optional<UserRecord> user = accounts.Known(owner);
  if (!user || !user->quota) return quota;
  if (user->quota->bytes() > 0) quota.set_bytes(user->quota->bytes());
  if (user->quota->jobs() > 0) quota.set_jobs(user->quota->jobs());
  return quota;
}

Share ShareOfUser(const Accounts& accounts, const std::string& owner) {
  const std::optional<UserRecord> user = accounts.Known(owner);
  if (!user) return {};
  return {.weight = user->weight,
          .group = user->group,
          .group_weight = accounts.WeightOfGroup(user->group),
          .running_cap = user->quota ? int64_t{user->quota->running_tasks()} : 0};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerCore>> ServerCore::Open(const Options& options, Clock& clock, IdSource& ids,
                                                             std::unique_ptr<FileSystem> files) {
  std::unique_ptr<ServerCore> core(new ServerCore(clock, std::move(files)));
  RETURN_IF_ERROR(CheckDatabaseIsThere(options));
  ASSIGN_OR_RETURN(core->store_, Store::Open(options.database, options.database_vfs));
  core->accounts_ = std::make_unique<Accounts>(options.tokens, *core->store_, clock);
  RETURN_IF_ERROR(core->accounts_->Load());
  const Accounts& accounts = *core->accounts_;
  VolumeStore::Options spool = options.spool;
  spool.quota_of = [&accounts, usual = options.quota](const std::string& owner) {
    return QuotaOfUser(accounts, usual, owner);
  };
  ASSIGN_OR_RETURN(core->volumes_, VolumeStore::Open(spool, *core->store_, *core->files_, clock, ids));
  core->usage_ = std::make_unique<UsageMeter>(*core->store_, clock);
  core->psfs_ = std::make_unique<PsfLibrary>(*core->store_, *core->volumes_, clock);
  core->models_ = std::make_unique<ModelLibrary>(*core->store_, *core->volumes_, clock);
  ASSIGN_OR_RETURN(core->jobs_,
                   JobManager::Open(options.retry, *core->store_, *core->volumes_, core->capabilities_, clock, ids,
                                    FileRoots(options.file_roots, [&accounts](const std::string& owner) {
                                      return accounts.FileRightsOf(owner);
                                    })));
  Dispatcher::Kept kept;
  ASSIGN_OR_RETURN(kept.shares, core->store_->ListShares());
  ASSIGN_OR_RETURN(kept.paused, core->store_->IsPaused());
  core->dispatcher_ = std::make_unique<Dispatcher>(
      options.dispatcher, *core->store_, *core->volumes_, *core->jobs_, core->capabilities_, clock, kept,
      [&accounts](const std::string& owner) { return ShareOfUser(accounts, owner); });
  core->sweeper_ = std::make_unique<Sweeper>(
      Sweeper::Options{
          .rules = options.spool.retention, .directory = options.spool.directory, .interval = options.sweep_interval},
      *core->store_, *core->volumes_, *core->files_, clock);
  return core;
}

}  // namespace deconvoy::server
