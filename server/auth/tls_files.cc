#include "server/auth/tls_files.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr const char* kCertificate = "tls.certificate";
constexpr const char* kKey = "tls.key";

absl::Status Refuse(const char* setting, const std::string& file, std::string_view what, std::string_view remedy) {
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = setting, .remedy = std::string(remedy), .metadata = {{"path", file}}},
      fmt::format("{} {}: {}", setting, Printable(file), what));
}

absl::StatusOr<std::string> Read(const char* setting, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || text.empty()) {
    return Refuse(setting, file, "the file cannot be read, or is empty", "give a PEM file that the server may read");
  }
  return text;
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio Reader(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

// Nobody is asked for a passphrase.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return 0;
}

absl::StatusOr<Certificate> FirstCertificate(const char* setting, const std::string& file, const std::string& text) {
  Certificate certificate(PEM_read_bio_X509(Reader(text).get(), nullptr, NoPassphrase, nullptr), &X509_free);
  ERR_clear_error();
  if (!certificate) return Refuse(setting, file, "holds no certificate in PEM", "give a file that begins with one");
  if (X509_cmp_current_time(X509_get0_notBefore(certificate.get())) > 0 ||
      X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return Refuse(setting, file, "the certificate is not valid now", "renew it, and look at the machine's clock");
  }
  return certificate;
}

absl::Status CheckKey(const std::string& file, const std::string& text, X509& certificate) {
  struct stat about {};
  if (stat(file.c_str(), &about) == 0 && (about.st_mode & 0007) != 0) {
    return Refuse(kKey, file, "every account of this machine can use the key", "run `chmod 600` on it");
  }
  const PrivateKey key(PEM_read_bio_PrivateKey(Reader(text).get(), nullptr, NoPassphrase, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  if (!key) return Refuse(kKey, file, "holds no private key in PEM without passphrase", "give such a file");
  const bool belongs = X509_check_private_key(&certificate, key.get()) == 1;
  ERR_clear_error();
  if (belongs) return absl::OkStatus();
  return Refuse(kKey, file, "is not the key of the certificate", "give the key that the certificate was made for");
}

}  // namespace

absl::StatusOr<TlsFiles> ReadTlsFiles(const std::string& certificate, const std::string& key,
                                      const std::string& client_ca) {
  TlsFiles files;
  ASSIGN_OR_RETURN(files.certificate, Read(kCertificate, certificate));
  ASSIGN_OR_RETURN(const Certificate first, FirstCertificate(kCertificate, certificate, files.certificate));
  ASSIGN_OR_RETURN(files.key, Read(kKey, key));
  RETURN_IF_ERROR(CheckKey(key, files.key, *first));
  if (client_ca.empty()) return files;
  ASSIGN_OR_RETURN(files.client_ca, Read("tls.client_ca", client_ca));
  RETURN_IF_ERROR(FirstCertificate("tls.client_ca", client_ca, files.client_ca).status());
  return files;
}

}  // namespace deconvoy::server
