#include "server/config/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kRemedy =
    "give `unix:/path`, or a numeric address with its port such as `127.0.0.1:7450`, `[::1]:7450` or `0.0.0.0:7450`";

absl::Status Refuse(std::string_view message, std::string_view remedy = kRemedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "listen", .remedy = std::string(remedy)}, message);
}

absl::Status Unusable(const Address& address, std::string_view why, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "listen", .remedy = std::string(remedy)},
                   fmt::format("cannot listen on {}: {}", Printable(address.Text()), why));
}

absl::StatusOr<Address> ParseUnix(std::string_view text) {
  const std::string path(text.substr(kUnixPrefix.size()));
  if (path.empty() || path.front() != '/') {
    return Refuse(fmt::format("the address `{}` needs an absolute path after `unix:`", Printable(text)));
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Refuse(fmt::format("the socket path `{}` has {} bytes, but at most {} are possible", Printable(path),
                              path.size(), sizeof(sockaddr_un::sun_path) - 1),
                  "choose a shorter path, for instance under /run");
  }
  return Address{.kind = Address::Kind::kUnix, .path = path};
}

std::optional<int> ParsePort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port < 0 || port > 65535) return std::nullopt;
  return port;
}

bool Is4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool Is6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// Closes a socket at the end of a scope.
struct Socket {
  explicit Socket(int domain) : fd(socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd >= 0) close(fd);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  const int fd;
};

absl::Status ProbeUnix(const Address& address) {
  const std::filesystem::path folder = std::filesystem::path(address.path).parent_path();
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return Unusable(address, fmt::format("folder {}: {}", Printable(folder.string()), std::strerror(errno)),
                    "create the folder, or let the server's user write there");
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  const Socket probe(AF_UNIX);
  if (connect(probe.fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) {
    return Unusable(address, "another server listens there already", "stop it, or choose another path");
  }
  if (errno == ENOENT || errno == ECONNREFUSED) {
    std::error_code ignored;
    if (const auto kind = std::filesystem::symlink_status(address.path, ignored).type();
        kind != std::filesystem::file_type::not_found && kind != std::filesystem::file_type::socket) {
      return Unusable(address, "a file that is not a socket is in the way", "remove it, or choose another path");
    }
    return absl::OkStatus();
  }
  return Unusable(address, std::strerror(errno), "choose another path");
}

absl::Status ProbeTcp(const Address& address) {
  sockaddr_storage name{};
  socklen_t length = 0;
  const auto port = htons(static_cast<uint16_t>(address.port));
  if (address.kind == Address::Kind::kTcp4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(name);
    v4.sin_family = AF_INET;
    v4.sin_port = port;
    inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr);
    length = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(name);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = port;
    inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
    length = sizeof v6;
  }
  const Socket probe(name.ss_family);
  const int yes = 1;
  setsockopt(probe.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(probe.fd, reinterpret_cast<const sockaddr*>(&name), length) != 0) {
    return Unusable(address, std::strerror(errno), "stop the program that uses the port, or choose another one");
  }
  return absl::OkStatus();
}

}  // namespace

std::string Address::Text() const {
  switch (kind) {
    case Kind::kUnix:
      return std::string(kUnixPrefix) + path;
    case Kind::kTcp4:
      return fmt::format("{}:{}", host, port);
    case Kind::kTcp6:
      return fmt::format("[{}]:{}", host, port);
  }
  return {};
}

absl::StatusOr<Address> ParseAddress(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return ParseUnix(text);
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : ParsePort(text.substr(colon + 1));
  if (!port) {
    return Refuse(fmt::format("the address `{}` does not end in `:` and a port from 0 to 65535", Printable(text)));
  }
  std::string host(text.substr(0, colon));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  if (!bracketed && Is4(host)) return Address{.kind = Address::Kind::kTcp4, .host = host, .port = *port};
  if (bracketed && Is6(host)) return Address{.kind = Address::Kind::kTcp6, .host = host, .port = *port};
  return Refuse(fmt::format("the host of the address `{}` is not numeric", Printable(text)));
}

bool Address::on_this_machine() const {
  if (kind == Kind::kUnix) return true;
  if (kind == Kind::kTcp6) {
    in6_addr address{};
    return inet_pton(AF_INET6, host.c_str(), &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
  }
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

absl::Status ProbeAddress(const Address& address) {
  return address.kind == Address::Kind::kUnix ? ProbeUnix(address) : ProbeTcp(address);
}

}  // namespace deconvoy::server
