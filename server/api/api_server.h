// The gRPC server: every service of the contract, health and reflection, on one or more addresses.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/api/call.h"
#include "server/auth/tls_files.h"
#include "server/auth/worker_credential.h"
#include "server/config/address.h"
#include "server/schedule/server_core.h"

namespace deconvoy::server {

class ApiServer {
 public:
  // Listens on `addresses` and serves at once; health says SERVING. With `tls` every port speaks TLS, and Unix sockets
  // do not. `core` must outlive the server. INVALID_FIELD with field `listen` when an address cannot be used.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const std::vector<Address>& addresses,
                                                          const Door::Limits& limits, WorkerCredential credential,
                                                          ServerCore& core,
                                                          const std::optional<TlsFiles>& tls = std::nullopt);
  virtual ~ApiServer() = default;  // as Stop without grace

  // Where it listens, with the ports that were chosen.
  virtual const std::vector<Address>& addresses() const = 0;
  // Takes no new volumes and jobs any more, and says NOT_SERVING. Other calls go on.
  virtual void Drain() = 0;
  // Ends all calls, those still open after `grace` by force.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace deconvoy::server
