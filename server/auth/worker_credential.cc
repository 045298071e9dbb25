#include "server/auth/worker_credential.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/auth/replace_file.h"

namespace deconvoy::server {

namespace {

constexpr size_t kSecretBytes = 32;

// The secret in hexadecimal that `file` holds, or empty when it holds none.
std::string ReadSecret(const std::filesystem::path& file) {
  std::string text;
  std::ifstream(file) >> text;
  const bool whole = text.size() == 2 * kSecretBytes &&
                     std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
  return whole ? text : "";
}

}  // namespace

absl::StatusOr<WorkerCredential> WorkerCredential::Open(const std::filesystem::path& file) {
  if (const std::string kept = ReadSecret(file); !kept.empty()) {
    RETURN_IF_ERROR(ReplaceFile(file, kept + "\n", 0600));
    return WorkerCredential("Bearer " + kept);
  }
  std::array<std::byte, kSecretBytes> secret;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size())) != 1) {
    return MakeError({.reason = v1::STORAGE_FAILURE}, "the system gave no random bytes for the worker credential");
  }
  const std::string text = ToHex(secret);
  RETURN_IF_ERROR(ReplaceFile(file, text + "\n", 0600));
  return WorkerCredential("Bearer " + text);
}

absl::Status WorkerCredential::Check(std::string_view authorization) const {
  if (authorization.size() == expected_.size() &&
      CRYPTO_memcmp(authorization.data(), expected_.data(), expected_.size()) == 0) {
    return absl::OkStatus();
  }
  return MakeError({.reason = v1::UNAUTHENTICATED_WORKER,
                    .remedy = "start the worker with the `worker.credential` of this server's state folder"},
                   authorization.empty() ? "a worker call came without the worker credential"
                                         : "a worker call came with a credential that is not this server's");
}

}  // namespace deconvoy::server
