#include "client/cpp/transport_error.h"

#include <fmt/format.h>

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/server_access.h"
#include "proto/contract/transport.h"

namespace deconvoy::client {
namespace {

// What gRPC's account of a failed transport means.
std::string_view CauseOf(std::string_view account) {
  using Pair = std::pair<std::string_view, std::string_view>;
  static constexpr Pair kCauses[] = {{"Connection refused", "connection refused"},
                                     {"No such file or directory", "no such file"},
                                     {"ermission denied", "permission denied"},
                                     {"CERTIFICATE_VERIFY_FAILED", "its certificate is not one to trust"},
                                     {"certificate verify failed", "its certificate is not one to trust"},
                                     {"andshake", "no agreement on TLS"},
                                     {"Peer name", "its certificate is for another name"},
                                     {"DNS resolution failed", "host name not found"},
                                     {"before receiving SETTINGS", "no answer"},
                                     {"imed out", "timed out"},
                                     {"parsing HTTP/2", "what listens there is no deconvoyd"},
                                     {"http1.x server", "what listens there is no deconvoyd"},
                                     {"No route to host", "no route to the host"},
                                     {"unreachable", "network unreachable"},
                                     {"Connection reset", "the connection broke"},
                                     {"Broken pipe", "the connection broke"},
                                     {"Socket closed", "the connection broke"},
                                     {"GOAWAY", "it closed the connection"}};
  for (const auto& [words, cause] : kCauses)
    if (account.find(words) != std::string_view::npos) return cause;
  return "the connection failed";
}

absl::Status TransportError(const std::string& address, grpc::StatusCode code, std::string_view message,
                            const std::string& account) {
  v1::ErrorInfo info;
  info.set_remedy("Check that deconvoyd is running there and that the address is right.");
  if (message.find("connection broke") != std::string_view::npos && IsOnThisMachine(address)) {
    info.set_remedy(info.remedy() +
                    " If it speaks TLS, give its authority with --tls-root, and where it asks for one your "
                    "--tls-certificate, or log in.");
  }
  (*info.mutable_metadata())["server"] = address;
  if (!account.empty()) (*info.mutable_metadata())["transport"] = Printable(account);
  return FromWire(static_cast<int>(code), fmt::format("the server at {} {}", Printable(address), message),
                  info.SerializeAsString());
}

absl::Status NotOurServer(const std::string& address, const std::string& account) {
  return MakeError({.reason = v1::INCOMPATIBLE_VERSION,
                    .remedy = "Check that the address is that of a deconvoyd of this release.",
                    .metadata = {{"server", address}, {"transport", account}}},
                   fmt::format("what answers at {} does not know this call: it is no deconvoyd, or one of another "
                               "release",
                               Printable(address)));
}

absl::Status NotReached(const std::string& address, std::string_view cause, const std::string& account) {
  return TransportError(address, grpc::StatusCode::UNAVAILABLE, fmt::format("cannot be reached ({})", cause), account);
}

}  // namespace

absl::Status FromGrpc(const std::string& address, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string account = status.error_message();
  if (IsTransportLack(status.error_code(), account, status.error_details())) {
    return TransportError(address, grpc::StatusCode::UNAVAILABLE, "has no room for the call", account);
  }
  if (status.error_details().empty()) {
    switch (status.error_code()) {
      case grpc::StatusCode::UNAVAILABLE:
        return NotReached(address, CauseOf(account), account);
      case grpc::StatusCode::CANCELLED:
        return TransportError(address, grpc::StatusCode::UNAVAILABLE, "broke off the call", account);
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        return TransportError(address, grpc::StatusCode::DEADLINE_EXCEEDED, "does not answer in time", account);
      case grpc::StatusCode::UNIMPLEMENTED:
        return NotOurServer(address, account);
      default:
        break;
    }
  }
  return FromWire(static_cast<int>(status.error_code()), account, status.error_details());
}

absl::Status NotReached(const std::string& address, std::string_view cause) {
  return NotReached(address, cause, "");
}

}  // namespace deconvoy::client
