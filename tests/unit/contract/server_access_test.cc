#include "proto/contract/server_access.h"

#include <gmock/gmock.h>

#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ServerAccessTest : public ::testing::Test {
 protected:
  std::filesystem::path Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
    return folder_.path() / name;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ServerAccessTest, ATokenIsOneLine) {
  ASSERT_OK_AND_ASSIGN(const ServerAccess unix_line, ReadAccess({.token = Write("a", "dcv_12\n")}));
  EXPECT_EQ(unix_line.token, "dcv_12");
  ASSERT_OK_AND_ASSIGN(const ServerAccess dos_line, ReadAccess({.token = Write("b", "dcv_12\r\n")}));
  EXPECT_EQ(dos_line.token, "dcv_12");
  for (const std::string& text : {std::string(), std::string("\n"), std::string("two words"), std::string("a\nb"),
                                  std::string("a\0b", 3), std::string("\x1b[31m"), std::string(2000, 'a')}) {
    const absl::Status status = ReadAccess({.token = Write("c", text)}).status();
    EXPECT_EQ(InfoOf(status).field(), "token-file");
    if (text.size() < 3) continue;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(text)));
  }
  EXPECT_EQ(InfoOf(ReadAccess({.token = folder_.path()}).status()).field(), "token-file");
}

TEST_F(ServerAccessTest, CertificatesArePem) {
  const auto pem = Write("p", "-----BEGIN CERTIFICATE-----\n"), text = Write("t", "text");
  ASSERT_OK_AND_ASSIGN(const ServerAccess all, ReadAccess({.tls_root = pem, .tls_certificate = pem, .tls_key = pem}));
  EXPECT_THAT(all.tls_key, HasSubstr("BEGIN"));
  EXPECT_EQ(InfoOf(ReadAccess({.tls_root = text}).status()).field(), "tls-root");
  EXPECT_EQ(InfoOf(ReadAccess({.tls_certificate = pem}).status()).field(), "tls-key");
  EXPECT_EQ(InfoOf(ReadAccess({.tls_key = pem}).status()).field(), "tls-certificate");
  EXPECT_EQ(InfoOf(ReadAccess({.tls_root = "/nonexistent"}).status()).field(), "tls-root");
}

TEST(ServerAccess, KnowsWhatStaysOnThisMachine) {
  for (const char* address : {"unix:/run/d", "localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"}) {
    EXPECT_TRUE(IsOnThisMachine(address)) << address;
  }
  for (const char* address : {"facility:1", "10.0.0.1:1", "localhost.example.org:1", "127.0.0.1.example.org:1",
                              "[fe80::1]:1", "0.0.0.0:1", "128.0.0.1:1", "2130706433:1"}) {
    EXPECT_FALSE(IsOnThisMachine(address)) << address;
  }
}

TEST(ServerAccess, NothingGoesToAnotherMachineInPlainText) {
  const ServerAccess token{.token = "t"}, root{.tls_root = "r"}, own{.tls_certificate = "c", .tls_key = "k"};
  for (const ServerAccess& access : {ServerAccess{}, token, root, own}) {
    EXPECT_TRUE(UsesTls("facility:7450", access));
    EXPECT_TRUE(UsesTls("10.0.0.1:7450", access));
    EXPECT_FALSE(UsesTls("unix:/run/d", access));
  }
  EXPECT_FALSE(UsesTls("localhost:7450", token));
  EXPECT_TRUE(UsesTls("localhost:7450", root));
  EXPECT_TRUE(UsesTls("127.0.0.1:7450", own));
}

}  // namespace
}  // namespace deconvoy
