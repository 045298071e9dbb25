// How a client or a worker comes into a server: with TLS or without, and what it shows.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace deconvoy {

// Texts, not files. All may be empty.
struct ServerAccess {
  std::string token = {};     // sent as `authorization: Bearer ...`; empty: nothing is sent
  std::string tls_root = {};  // PEM: authorities that the server's certificate may come from; empty: the system's
  std::string tls_certificate = {};  // PEM: the caller's own certificate, for servers that ask for one
  std::string tls_key = {};          // PEM: its key
};

// The files that such texts are read from; empty ones are left out.
struct AccessFiles {
  std::filesystem::path token = {};
  std::filesystem::path tls_root = {};
  std::filesystem::path tls_certificate = {};
  std::filesystem::path tls_key = {};
};

// INVALID_FIELD, naming the option (`token-file`, `tls-root`, `tls-certificate`, `tls-key`) and the file, for one that
// cannot be read or holds no token or no PEM, and for a certificate without key or a key without certificate.
absl::StatusOr<ServerAccess> ReadAccess(const AccessFiles& files);

// OK when `text` can be a token: 1 to 1024 printable characters without blanks; else INVALID_FIELD, which does not
// repeat it.
absl::Status CheckToken(std::string_view text);

// Whether an address as gRPC takes it is on this machine whatever happens: a Unix socket, `localhost` or loopback.
bool IsOnThisMachine(std::string_view address);

// Whether calls go through TLS: where a root or a certificate is given, and always to other machines, so that no token
// ever passes a network in plain text. Never through a Unix socket.
bool UsesTls(std::string_view address, const ServerAccess& access);

}  // namespace deconvoy
