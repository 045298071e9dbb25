#include "worker/session/server_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/transport.h"

namespace deconvoy::worker {
namespace {

constexpr int kLongestCredential = 1024;

std::shared_ptr<grpc::ChannelCredentials> CredentialsFor(const std::string& address, const ServerAccess& access) {
  if (!UsesTls(address, access)) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials(
      {.pem_root_certs = access.tls_root, .pem_private_key = access.tls_key, .pem_cert_chain = access.tls_certificate});
}

std::unique_ptr<v1::Workers::Stub> MakeStub(const std::string& address, const ServerAccess& access) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(4 * limits::kMessageBytes));
  // The address is meant as it is given: a proxy for the web does not carry gRPC, and must not see the credential.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A server that comes back is found again within a second or two.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return v1::Workers::NewStub(grpc::CreateCustomChannel(address, CredentialsFor(address, access), arguments));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerLink>> ServerLink::Open(const std::string& address,
                                                             const std::filesystem::path& credential_file,
                                                             const ServerAccess& access) {
  if (credential_file.empty()) {
    RETURN_IF_ERROR(CheckToken(access.token));
    return std::unique_ptr<ServerLink>(new ServerLink(address, access.token, access));
  }
  std::ifstream file(credential_file);
  std::string credential;
  const auto printable = [](char c) { return c > ' ' && c < 127; };
  if (file >> std::setw(kLongestCredential) >> credential &&
      std::all_of(credential.begin(), credential.end(), printable))
    return std::unique_ptr<ServerLink>(new ServerLink(address, std::move(credential), access));
  return MakeError({.reason = v1::UNAUTHENTICATED_WORKER,
                    .remedy = "Give --credential-file the server's worker.credential.",
                    .metadata = {{"path", credential_file.string()}}},
                   fmt::format("no worker credential can be read from {}", Printable(credential_file.string())));
}

ServerLink::ServerLink(std::string address, std::string credential, const ServerAccess& access)
    : address_(std::move(address)), credential_(std::move(credential)), stub_(MakeStub(address_, access)) {}

std::unique_ptr<grpc::ClientContext> ServerLink::NewContext(std::chrono::milliseconds timeout) const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", "Bearer " + credential_);
  context->set_wait_for_ready(true);
  context->set_deadline(std::chrono::system_clock::now() + timeout);
  return context;
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::UnavailableError("the server did not answer in time");
  }
  if (IsTransportLack(status.error_code(), status.error_message(), status.error_details())) {
    return absl::UnavailableError("the server has no room for the call");
  }
  return FromWire(status.error_code(), status.error_message(), status.error_details());
}

}  // namespace deconvoy::worker
