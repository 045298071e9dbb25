#include <fmt/format.h>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/config/address.h"
#include "server/config/server_config.h"

namespace deconvoy::server {
namespace {

constexpr const char* kSetUp =
    "set tls.certificate and tls.key (deploy/dev-certs.sh makes some to try), set auth.tokens = \"required\", and make "
    "the "
    "first administrator with `deconvoyd --init`; or listen on `127.0.0.1:port`, `[::1]:port` or `unix:/path`";

absl::Status Refuse(const char* field, std::string_view message, const char* remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = field, .remedy = remedy}, message);
}

}  // namespace

absl::Status CheckDoors(const ServerConfig& config) {
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    return Refuse(config.tls_key.empty() ? "tls.key" : "tls.certificate",
                  "only one of tls.certificate and tls.key is set", "set both, or neither");
  }
  if (!config.tls_client_ca.empty() && config.tls_certificate.empty()) {
    return Refuse("tls.client_ca", "tls.client_ca is set, but the server has no certificate of its own",
                  "set tls.certificate and tls.key, too");
  }
  for (const std::string& text : config.listen) {
    ASSIGN_OR_RETURN(const Address address, ParseAddress(text));
    if (address.on_this_machine()) continue;
    const bool plain = config.tls_certificate.empty(), open = config.auth_tokens == "off";
    if (!plain && !open) continue;
    return Refuse(
        "listen",
        fmt::format("the address `{}` can be reached from other machines, but calls are {}", Printable(address.Text()),
                    plain && open ? "neither encrypted nor authenticated"
                    : plain       ? "not encrypted"
                                  : "not authenticated"),
        kSetUp);
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::server
