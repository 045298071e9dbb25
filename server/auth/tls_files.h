// The server's certificate and key, and whose certificates callers need: read from PEM files, and checked.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace deconvoy::server {

// The contents of the files.
struct TlsFiles {
  std::string certificate;  // the server's, and those between it and its authority
  std::string key;          // of the first certificate
  std::string client_ca;  // authorities one of which must have signed a caller's certificate; empty: none is asked for
};

// Reads the files named by the settings `tls.certificate`, `tls.key` and `tls.client_ca`, which may be empty.
// INVALID_FIELD, naming setting and file: one that cannot be read, that holds no PEM of its kind, a key that everybody
// can read or that does not belong to the certificate, a certificate that is not valid now.
absl::StatusOr<TlsFiles> ReadTlsFiles(const std::string& certificate, const std::string& key,
                                      const std::string& client_ca);

}  // namespace deconvoy::server
