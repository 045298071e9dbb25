#include "proto/contract/server_access.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr size_t kLongestToken = 1024;
constexpr size_t kLongestFile = 1 << 20;

absl::Status Refuse(const char* option, const std::filesystem::path& file, std::string_view what,
                    std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = option,
                    .remedy = std::string(remedy),
                    .metadata = {{"path", file.string()}}},
                   fmt::format("--{} {}: {}", option, Printable(file.string()), what));
}

absl::StatusOr<std::string> Read(const char* option, const std::filesystem::path& file) {
  std::error_code ignored;
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file, ignored)) {
    return Refuse(option, file, "the file cannot be read", "Give a file that exists and that you may read.");
  }
  std::string text(kLongestFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kLongestFile) return Refuse(option, file, "the file is larger than 1 MiB", "Give another one.");
  return text;
}

absl::StatusOr<std::string> ReadPem(const char* option, const std::filesystem::path& file) {
  if (file.empty()) return "";
  ASSIGN_OR_RETURN(std::string text, Read(option, file));
  if (text.find("-----BEGIN ") != std::string::npos) return text;
  return Refuse(option, file, "holds nothing in PEM", "Give a file with -----BEGIN ... in it.");
}

absl::StatusOr<std::string> ReadToken(const std::filesystem::path& file) {
  if (file.empty()) return "";
  ASSIGN_OR_RETURN(std::string text, Read("token-file", file));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (CheckToken(text).ok()) return text;
  return Refuse("token-file", file, "holds no token", "Give a file with one line, the token.");
}

}  // namespace

absl::Status CheckToken(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
  if (plain && !text.empty() && text.size() <= kLongestToken) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "token-file",
                    .remedy = "Give it as the administrator gave it, in one line without blanks."},
                   "the token is empty, too long, or has characters that no token has");
}

absl::StatusOr<ServerAccess> ReadAccess(const AccessFiles& files) {
  ServerAccess access;
  ASSIGN_OR_RETURN(access.token, ReadToken(files.token));
  ASSIGN_OR_RETURN(access.tls_root, ReadPem("tls-root", files.tls_root));
  ASSIGN_OR_RETURN(access.tls_certificate, ReadPem("tls-certificate", files.tls_certificate));
  ASSIGN_OR_RETURN(access.tls_key, ReadPem("tls-key", files.tls_key));
  if (access.tls_certificate.empty() == access.tls_key.empty()) return access;
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = access.tls_key.empty() ? "tls-key" : "tls-certificate",
                    .remedy = "Give both, or neither."},
                   "only one of --tls-certificate and --tls-key is given");
}

bool IsOnThisMachine(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  std::string host(address.substr(0, address.rfind(':')));
  if (host == "localhost") return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool UsesTls(std::string_view address, const ServerAccess& access) {
  if (address.starts_with("unix:")) return false;
  return !access.tls_root.empty() || !access.tls_certificate.empty() || !IsOnThisMachine(address);
}

}  // namespace deconvoy
