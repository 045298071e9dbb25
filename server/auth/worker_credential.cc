#include "server/auth/worker_credential.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/auth/replace_file.h"

namespace deconvoy::server {

absl::StatusOr<WorkerCredential> WorkerCredential::Create(const std::filesystem::path& file) {
  std::array<std::byte, 32> secret;
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
