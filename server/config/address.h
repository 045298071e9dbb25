// Addresses the server listens on: a Unix socket, or a port.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace deconvoy::server {

struct Address {
  enum class Kind { kUnix, kTcp4, kTcp6 };

  Kind kind = Kind::kUnix;
  std::string path = {};  // of a Unix socket, absolute
  std::string host = {};  // numeric, `127.0.0.1` or `::`
  int port = 0;           // 0: one that is free

  // `unix:/path`, `127.0.0.1:7450` or `[::1]:7450`, as gRPC takes it.
  std::string Text() const;
  // Whether only processes of this machine can reach it: a Unix socket or loopback.
  bool on_this_machine() const;
};

// Reads `unix:/path`, `127.0.0.1:port`, `[::1]:port` or another numeric address of this machine, or `localhost:port`.
// INVALID_FIELD for anything else.
absl::StatusOr<Address> ParseAddress(std::string_view text);

// Whether the server could listen there now; the error says why not (in use, no permission, no such folder).
// A socket file that nobody listens on any more is no obstacle.
absl::Status ProbeAddress(const Address& address);

}  // namespace deconvoy::server
