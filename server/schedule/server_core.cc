#include "server/schedule/server_core.h"

#include "proto/contract/status_macros.h"

namespace deconvoy::server {

absl::StatusOr<std::unique_ptr<ServerCore>> ServerCore::Open(const Options& options, Clock& clock, IdSource& ids) {
  std::unique_ptr<ServerCore> core(new ServerCore(clock));
  ASSIGN_OR_RETURN(core->store_, Store::Open(options.database));
  ASSIGN_OR_RETURN(core->volumes_, VolumeStore::Open(options.spool, *core->store_, *core->files_, clock, ids));
  ASSIGN_OR_RETURN(core->jobs_,
                   JobManager::Open(options.retry, *core->store_, *core->volumes_, core->capabilities_, clock, ids));
  core->dispatcher_ = std::make_unique<Dispatcher>(options.dispatcher, *core->store_, *core->volumes_, *core->jobs_,
                                                   core->capabilities_, clock);
  return core;
}

}  // namespace deconvoy::server
