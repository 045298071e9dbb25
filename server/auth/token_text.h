// The texts of tokens, and what is kept of them.
//
// A text is `dcv_` and 32 random bytes in hexadecimal. What is kept is its SHA-256: 256 random bits can be neither
// guessed nor searched through, so that a slow, salted hash as for passwords would protect nothing more and cost every
// call time.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace deconvoy::server {

// A new text. STORAGE_FAILURE when the system gives no random bytes.
absl::StatusOr<std::string> NewTokenText();

// 32 bytes.
std::string HashOfToken(std::string_view text);

// Whether two hashes are equal; takes as long for nearly equal ones as for any other.
bool SameHash(std::string_view a, std::string_view b);

}  // namespace deconvoy::server
