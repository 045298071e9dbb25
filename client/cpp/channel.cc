#include "client/cpp/channel.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdlib>
#include <utility>
#include <vector>

namespace deconvoy::client {
namespace {

namespace experimental = grpc::experimental;

// gRPC writes some failures, such as those of TLS, to standard error; what they say is in the errors of calls, too.
void SayNothing(gpr_log_func_args* /*line*/) {}

// gRPC's shutdown, when the last channel goes, may wait ten seconds for a poller of a stream that was busy. Who sets
// GRPC_VERBOSITY hears what gRPC says of itself.
void SetUpGrpcOnce() {
  [[maybe_unused]] static const bool done = [] {
    if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function(SayNothing);
    grpc_init();
    return true;
  }();
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  // The retries of this library decide the waits; the channel only has to be ready when they come.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // Also where nothing is sent: by default gRPC asks twice and then no more until there is something to send.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  // The address is meant as it is given: a proxy for the web does not carry gRPC.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A connection of its own: one that broke elsewhere in the process must not count here.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

// Call credentials of gRPC go through TLS only; Unix sockets and loopback need the token, too.
class ShowToken final : public experimental::Interceptor {
 public:
  explicit ShowToken(const std::string& authorization) : authorization_(authorization) {}

  void Intercept(experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", authorization_);
    }
    methods->Proceed();
  }

 private:
  const std::string& authorization_;
};

// Outlives the calls of its channel.
class ShowTokenFactory final : public experimental::ClientInterceptorFactoryInterface {
 public:
  explicit ShowTokenFactory(const std::string& token) : authorization_("Bearer " + token) {}

  experimental::Interceptor* CreateClientInterceptor(experimental::ClientRpcInfo* /*info*/) override {
    return new ShowToken(authorization_);  // gRPC takes it
  }

 private:
  const std::string authorization_;
};

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const ServerAccess& access) {
  SetUpGrpcOnce();
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (UsesTls(address, access)) {
    credentials = grpc::SslCredentials({.pem_root_certs = access.tls_root,
                                        .pem_private_key = access.tls_key,
                                        .pem_cert_chain = access.tls_certificate});
  }
  if (access.token.empty()) return grpc::CreateCustomChannel(address, credentials, Arguments());
  std::vector<std::unique_ptr<experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<ShowTokenFactory>(access.token));
  return experimental::CreateCustomChannelWithInterceptors(address, credentials, Arguments(), std::move(interceptors));
}

}  // namespace deconvoy::client
