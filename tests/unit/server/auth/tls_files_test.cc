#include "server/auth/tls_files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class TlsFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeCertificates("a");
    MakeCertificates("b");
  }

  void MakeCertificates(const std::string& folder) {
    const std::string command = fmt::format("{} {} >/dev/null", (testing::SourceDir() / "deploy/dev-certs.sh").string(),
                                            (folder_.path() / folder).string());
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }
  absl::StatusOr<TlsFiles> Read(const std::string& certificate, const std::string& key, const std::string& ca = "") {
    return ReadTlsFiles(File(certificate), File(key), ca.empty() ? "" : File(ca));
  }
  void Expect(const absl::Status& status, const std::string& field, const std::string& words) {
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_EQ(InfoOf(status).field(), field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_NE(InfoOf(status).remedy(), "");
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TlsFilesTest, WhatBelongsTogetherIsRead) {
  ASSERT_OK_AND_ASSIGN(const TlsFiles files, Read("a/server.pem", "a/server.key", "a/ca.pem"));
  for (const std::string& text : {files.certificate, files.key, files.client_ca}) EXPECT_THAT(text, HasSubstr("BEGIN"));
  ASSERT_OK_AND_ASSIGN(const TlsFiles two, Read("a/server.pem", "a/server.key"));
  EXPECT_EQ(two.client_ca, "");
}

TEST_F(TlsFilesTest, WhatDoesNotIsRefusedBySetting) {
  std::ofstream(File("text")) << "no PEM\n";
  Expect(Read("missing", "a/server.key").status(), "tls.certificate", "cannot be read");
  Expect(Read("text", "a/server.key").status(), "tls.certificate", "no certificate");
  Expect(Read("a/server.pem", "missing").status(), "tls.key", "cannot be read");
  Expect(Read("a/server.pem", "a/server.pem").status(), "tls.key", "every account");
  Expect(Read("a/server.pem", "b/server.key").status(), "tls.key", "not the key");
  Expect(Read("a/server.pem", "a/server.key", "text").status(), "tls.client_ca", "no certificate");
}

TEST_F(TlsFilesTest, AKeyThatEverybodyCanReadIsRefused) {
  std::filesystem::permissions(File("a/server.key"), std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  Expect(Read("a/server.pem", "a/server.key").status(), "tls.key", "every account");
}

}  // namespace
}  // namespace deconvoy::server
