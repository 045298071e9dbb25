#include "client/cpp/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

absl::Status AddressError(const std::string& address, const std::string& remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "server", .remedy = remedy},
                   fmt::format("'{}' is not the address of a server", Printable(address)));
}

// A name, an IPv4 address, or an IPv6 address in brackets.
bool IsHost(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    return !host.empty() && host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char letter) {
    return static_cast<unsigned char>(letter) > ' ' &&
           std::string_view("/:[]@?#").find(letter) == std::string_view::npos;
  });
}

bool IsPort(std::string_view port) {
  int number = 0;
  const char* end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, number);
  return error == std::errc() && rest == end && number >= 1 && number <= 65535;
}

}  // namespace

bool IsLocal(const std::string& address) {
  if (address.starts_with("unix:")) return true;
  const std::string_view host = std::string_view(address).substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

absl::Status CheckAddress(const std::string& address) {
  constexpr char kForms[] = "Give host:port, for instance localhost:7450, or unix:/path/to/socket.";
  if (address.starts_with("unix:")) return address.size() > 5 ? absl::OkStatus() : AddressError(address, kForms);
  if (address.find("://") != std::string::npos)
    return AddressError(address, "Give host:port alone, without http:// and the like, for instance localhost:7450.");
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || !IsPort(std::string_view(address).substr(colon + 1)))
    return AddressError(address, kForms);
  const std::string_view host = std::string_view(address).substr(0, colon);
  if (IsHost(host)) return absl::OkStatus();
  if (host.find(':') != std::string_view::npos)
    return AddressError(address, "Put an IPv6 address in brackets, for instance [::1]:7450.");
  return AddressError(address, kForms);
}

}  // namespace deconvoy::client
