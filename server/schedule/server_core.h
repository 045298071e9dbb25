// A server without its doors and its workers: store, spool, jobs and dispatcher, put together.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "server/auth/accounts.h"
#include "server/jobs/capabilities.h"
#include "server/jobs/file_roots.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/model_library.h"
#include "server/jobs/psf_library.h"
#include "server/jobs/usage_meter.h"
#include "server/observe/environment.h"
#include "server/schedule/dispatcher.h"
#include "server/spool/file_system.h"
#include "server/spool/retention.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Its parts are as thread safe as each of them says.
class ServerCore {
 public:
  struct Options {
    std::filesystem::path database;
    std::string database_vfs = {};  // by which SQLite reaches it, as for Store::Open
    VolumeStore::Options spool;
    TokenRule tokens = TokenRule::kOff;
    std::chrono::seconds sweep_interval{60};  // between looks for volumes to remove; 0: never by itself
    RetryRules retry = {};
    Dispatcher::Options dispatcher = {};
    std::vector<RootFolder> file_roots = {};  // that files may be imported from and exported to
    v1::Quota quota = {};  // bytes and jobs of users without a quota of their own, field by field; 0: no bound
  };
  // Opens or makes the files, and recovers what an earlier run has left. `files` is what the spool lies on; `clock` and
  // `ids` must outlive the core. Errors are those of the rooms; STORAGE_FAILURE, too, when there are volumes but no
  // database.
  static absl::StatusOr<std::unique_ptr<ServerCore>> Open(const Options& options, Clock& clock, IdSource& ids,
                                                          std::unique_ptr<FileSystem> files = MakePosixFileSystem());

  Store& store() { return *store_; }
  Accounts& accounts() { return *accounts_; }
  VolumeStore& volumes() { return *volumes_; }
  Capabilities& capabilities() { return capabilities_; }
  JobManager& jobs() { return *jobs_; }
  PsfLibrary& psfs() { return *psfs_; }
  ModelLibrary& models() { return *models_; }
  UsageMeter& usage() { return *usage_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  Sweeper& sweeper() { return *sweeper_; }
  Clock& clock() { return clock_; }

 private:
  ServerCore(Clock& clock, std::unique_ptr<FileSystem> files) : clock_(clock), files_(std::move(files)) {}

  Clock& clock_;
  // In the order in which they are made; each uses those before it.
  const std::unique_ptr<FileSystem> files_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<VolumeStore> volumes_;
  Capabilities capabilities_;
  std::unique_ptr<PsfLibrary> psfs_;
  std::unique_ptr<ModelLibrary> models_;
  std::unique_ptr<UsageMeter> usage_;
  std::unique_ptr<JobManager> jobs_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Sweeper> sweeper_;
};

}  // namespace deconvoy::server
