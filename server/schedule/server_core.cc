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

}  // namespace

absl::StatusOr<std::unique_ptr<ServerCore>> ServerCore::Open(const Options& options, Clock& clock, IdSource& ids,
                                                             std::unique_ptr<FileSystem> files) {
  std::unique_ptr<ServerCore> core(new ServerCore(clock, std::move(files)));
  RETURN_IF_ERROR(CheckDatabaseIsThere(options));
  ASSIGN_OR_RETURN(core->store_, Store::Open(options.database));
  core->accounts_ = std::make_unique<Accounts>(options.tokens, *core->store_, clock);
  ASSIGN_OR_RETURN(core->volumes_, VolumeStore::Open(options.spool, *core->store_, *core->files_, clock, ids));
  core->usage_ = std::make_unique<UsageMeter>(*core->store_, clock);
  core->psfs_ = std::make_unique<PsfLibrary>(*core->store_, *core->volumes_, clock);
  ASSIGN_OR_RETURN(core->jobs_,
                   JobManager::Open(options.retry, *core->store_, *core->volumes_, core->capabilities_, clock, ids));
  Dispatcher::Kept kept;
  ASSIGN_OR_RETURN(kept.shares, core->store_->ListShares());
  ASSIGN_OR_RETURN(kept.paused, core->store_->IsPaused());
  core->dispatcher_ = std::make_unique<Dispatcher>(options.dispatcher, *core->store_, *core->volumes_, *core->jobs_,
                                                   core->capabilities_, clock, kept, options.share_of);
  core->sweeper_ = std::make_unique<Sweeper>(
      Sweeper::Options{
          .rules = options.spool.retention, .directory = options.spool.directory, .interval = options.sweep_interval},
      *core->store_, *core->volumes_, *core->files_, clock);
  return core;
}

}  // namespace deconvoy::server
