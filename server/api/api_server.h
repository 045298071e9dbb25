// The gRPC server: every service of the contract, health and reflection, on one or more addresses of this machine.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/auth/worker_credential.h"
#include "server/config/address.h"
#include "server/jobs/job_manager.h"
#include "server/observe/environment.h"
#include "server/schedule/dispatcher.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// What the services work on. Everything must outlive the server.
struct ApiParts {
  Store& store;
  VolumeStore& volumes;
  JobManager& jobs;
  Capabilities& capabilities;
  Dispatcher& dispatcher;
  Clock& clock;
};

class ApiServer {
 public:
  // Listens on `addresses` and serves at once; health says SERVING. `open_calls` limits the calls of users that are
  // open at once. INVALID_FIELD with field `listen` when an address cannot be used.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const std::vector<Address>& addresses, int64_t open_calls,
                                                          WorkerCredential credential, const ApiParts& parts);
  virtual ~ApiServer() = default;  // as Stop without grace

  // Where it listens, with the ports that were chosen.
  virtual const std::vector<Address>& addresses() const = 0;
  // Takes no new volumes and jobs any more, and says NOT_SERVING. Other calls go on.
  virtual void Drain() = 0;
  // Ends all calls, those still open after `grace` by force.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace deconvoy::server
