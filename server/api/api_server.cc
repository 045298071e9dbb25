#include "server/api/api_server.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "server/api/admin_service.h"
#include "server/api/call.h"
#include "server/api/deconvolution_service.h"
#include "server/api/jobs_service.h"
#include "server/api/methods_service.h"
#include "server/api/models_service.h"
#include "server/api/psfs_service.h"
#include "server/api/reflection_limit.h"
#include "server/api/volumes_service.h"
#include "server/api/workers_service.h"

namespace deconvoy::server {
namespace {

// Calls of workers that may be open beside those of users.
constexpr int64_t kWorkerCalls = 1024;
// Memory for what is under way in gRPC, for each call of users that may be open, and for all others together. 64
// uploads and downloads at once get by with 24 MiB.
constexpr size_t kCallMemoryBytes = size_t{1} << 20;
constexpr size_t kOtherMemoryBytes = size_t{64} << 20;
// Bytes of a stream that may be under way before its handler has asked for them.
constexpr int kStreamWindowBytes = 640 * 1024;

// gRPC's own messages, for those who look for them.
void LogGrpc(gpr_log_func_args* line) {
  spdlog::log(line->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::debug : spdlog::level::trace, "grpc: {}",
              Printable(line->message));
}

void SetUpGrpcOnce() {
  static const bool done = [] {
    gpr_set_log_function(LogGrpc);
    grpc_init();  // kept until the process ends: gRPC's own end can wait ten seconds for a poller
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)done;
}

int Milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(time.count());
}

void Configure(grpc::ServerBuilder& builder, const Door::Limits& limits) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytes));
  grpc::ResourceQuota quota("deconvoyd");
  // One thread per open call, and a few that wait for new ones. Recordings have four of their own each, which this does
  // not count; as open calls they are bounded, too.
  quota.SetMaxThreads(static_cast<int>(2 * limits.users.open_calls + kWorkerCalls));
  // Calls are looked at before their messages have come (Call::Answer), but those of gRPC's own services are not: above
  // this, gRPC ends streams, whosever they are.
  quota.Resize(static_cast<size_t>(limits.users.open_calls) * kCallMemoryBytes + kOtherMemoryBytes);
  builder.SetResourceQuota(quota);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(MakeReflectionLimit());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 4);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(limits.streams_per_connection));
  // Who connects and then says little: a connection is made in time, its headers are small, and it ends when nothing
  // was asked of it for an hour. Calls whose message does not come are ended by IdleStreams; those of gRPC's own
  // services only by their connection's age.
  const Door::Connections& connections = limits.connections;
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(connections.handshake));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(kMetadataBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 3'600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(connections.age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(connections.grace));
  // A peer that has vanished is noticed; peers may ask as often as every 10 s.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(connections.silence));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(connections.answer));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
}

std::shared_ptr<grpc::ServerCredentials> CredentialsFor(const Address& address, const std::optional<TlsFiles>& tls) {
  if (!tls || address.kind == Address::Kind::kUnix) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(tls->client_ca.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls->client_ca;
  options.pem_key_cert_pairs.push_back({.private_key = tls->key, .cert_chain = tls->certificate});
  return grpc::SslServerCredentials(options);
}

class GrpcServer final : public ApiServer {
 public:
  GrpcServer(std::vector<Address> addresses, const Door::Limits& limits, WorkerCredential credential, ServerCore& core,
             std::optional<TlsFiles> tls)
      : addresses_(std::move(addresses)),
        tls_(std::move(tls)),
        door_(limits, std::move(credential), core.accounts(), core.clock()),
        volumes_(door_, core.store(), core.volumes(), core.jobs(), core.usage()),
        jobs_(door_, core.jobs()),
        deconvolution_(door_, core),
        methods_(door_, core.capabilities()),
        psfs_(door_, core.psfs()),
        models_(door_, core.models()),
        workers_(door_, core.dispatcher(), core.volumes()),
        admin_(door_, core.jobs(), core.dispatcher(), core.volumes(), core.store(), core.usage(), core.accounts(),
               core.clock()),
        limits_(limits) {}

  ~GrpcServer() override { Stop({}); }

  absl::Status Listen() {
    SetUpGrpcOnce();
    grpc::ServerBuilder builder;
    Configure(builder, limits_);
    std::vector<int> ports(addresses_.size(), 0);
    for (size_t i = 0; i < addresses_.size(); ++i) {
      RETURN_IF_ERROR(ProbeAddress(addresses_[i]));
      builder.AddListeningPort(addresses_[i].Text(), CredentialsFor(addresses_[i], tls_), &ports[i]);
    }
    for (grpc::Service* service : Services()) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    for (size_t i = 0; i < addresses_.size(); ++i) RETURN_IF_ERROR(Settle(addresses_[i], ports[i]));
    for (const char* name : {"Volumes", "Jobs", "Deconvolution", "Methods", "Psfs", "Models", "Workers", "Admin"}) {
      server_->GetHealthCheckService()->SetServingStatus(fmt::format("deconvoy.v1.{}", name), true);
    }
    return absl::OkStatus();
  }

  const std::vector<Address>& addresses() const override { return addresses_; }

  void Drain() override {
    door_.Close();
    server_->GetHealthCheckService()->SetServingStatus(false);
  }

  void Stop(std::chrono::milliseconds grace) override {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now() + grace);
    server_.reset();  // also removes Unix sockets
  }

 private:
  std::vector<grpc::Service*> Services() {
    return {&volumes_, &jobs_, &deconvolution_, &methods_, &psfs_, &models_, &workers_, &admin_};
  }

  // Takes note of what an address has become.
  absl::Status Settle(Address& address, int port) const {
    if (!server_ || port == 0) {
      return MakeError({.reason = v1::INVALID_FIELD, .field = "listen", .remedy = "choose another address"},
                       fmt::format("cannot listen on {}", Printable(address.Text())));
    }
    if (address.kind != Address::Kind::kUnix) {
      address.port = port;
    } else if (chmod(address.path.c_str(), 0660) != 0) {
      return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", address.path}}},
                       fmt::format("cannot set the permissions of {}", Printable(address.path)));
    }
    return absl::OkStatus();
  }

  std::vector<Address> addresses_;
  const std::optional<TlsFiles> tls_;
  Door door_;
  VolumesService volumes_;
  JobsService jobs_;
  DeconvolutionService deconvolution_;
  MethodsService methods_;
  PsfsService psfs_;
  ModelsService models_;
  WorkersService workers_;
  AdminService admin_;
  const Door::Limits limits_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const std::vector<Address>& addresses,
                                                            const Door::Limits& limits, WorkerCredential credential,
                                                            ServerCore& core, const std::optional<TlsFiles>& tls) {
  auto server = std::make_unique<GrpcServer>(addresses, limits, std::move(credential), core, tls);
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace deconvoy::server
