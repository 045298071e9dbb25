// What the address of a server may look like. Internal to this library.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace deconvoy::client {

// Refuses (INVALID_FIELD) what is neither `unix:/path` nor `host:port`; an IPv6 address as host is in brackets.
absl::Status CheckAddress(const std::string& address);

// Whether the server is on this machine: a Unix socket, or loopback. A tunnel to another one looks like that, too.
// REQUIRES: CheckAddress is OK.
bool IsLocal(const std::string& address);

}  // namespace deconvoy::client
