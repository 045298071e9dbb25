#include "server/auth/token_text.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cstddef>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

constexpr size_t kRandomBytes = 32;

}  // namespace

absl::StatusOr<std::string> NewTokenText() {
  std::array<std::byte, kRandomBytes> random;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(random.size())) != 1) {
    return MakeError({.reason = v1::STORAGE_FAILURE}, "the system gave no random bytes for a token");
  }
  return "dcv_" + ToHex(random);
}

std::string HashOfToken(std::string_view text) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

bool SameHash(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace deconvoy::server
