#include "server/config/address.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

TEST(Address, TheThreeForms) {
  for (const char* text : {"unix:/run/deconvoy/socket", "127.0.0.1:7450", "127.1.2.3:0", "[::1]:65535"}) {
    ASSERT_OK_AND_ASSIGN(const Address address, ParseAddress(text));
    EXPECT_EQ(address.Text(), text);
  }
  ASSERT_OK_AND_ASSIGN(const Address localhost, ParseAddress("localhost:80"));
  EXPECT_EQ(localhost.Text(), "127.0.0.1:80");
}

TEST(Address, SaysWhetherOtherMachinesCanReachIt) {
  for (const char* text : {"0.0.0.0:7450", "192.168.1.4:7450", "[::]:7450", "[fe80::1]:7450", "128.0.0.1:1"}) {
    ASSERT_OK_AND_ASSIGN(const Address address, ParseAddress(text));
    EXPECT_FALSE(address.on_this_machine()) << text;
    EXPECT_EQ(address.Text(), text);
  }
  for (const char* text : {"unix:/run/deconvoy/socket", "127.0.0.1:7450", "127.255.2.3:0", "[::1]:65535"}) {
    ASSERT_OK_AND_ASSIGN(const Address address, ParseAddress(text));
    EXPECT_TRUE(address.on_this_machine()) << text;
  }
}

TEST(Address, NamesOfHostsAreRefused) {
  for (const char* text : {"example.org:7450", ":7450", "::1:7450", "[127.0.0.1]:7450", "[::1:7450", "1.2.3:7450"}) {
    const auto address = ParseAddress(text);
    ASSERT_EQ(ReasonOf(address.status()), v1::INVALID_FIELD) << text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("numeric")) << text;
  }
}

TEST(Address, MalformedOnesAreRefused) {
  for (const std::string& text :
       {std::string(), std::string("127.0.0.1"), std::string("127.0.0.1:"), std::string("127.0.0.1:65536"),
        std::string("127.0.0.1:-1"), std::string("127.0.0.1:1x"), std::string("unix:"), std::string("unix:relative"),
        "unix:/" + std::string(120, 'a')}) {
    EXPECT_EQ(ReasonOf(ParseAddress(text).status()), v1::INVALID_FIELD) << text;
  }
}

class ProbeTest : public ::testing::Test {
 protected:
  // A socket that listens on `path` until it is closed.
  static int ListenOn(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(listen(fd, 1), 0);
    return fd;
  }

  testing::TemporaryFolder folder_;
  const Address address_{.kind = Address::Kind::kUnix, .path = (folder_.path() / "socket").string()};
};

TEST_F(ProbeTest, AFreePathAndAnAbandonedSocketAreFine) {
  EXPECT_OK(ProbeAddress(address_));
  close(ListenOn(address_.path));
  ASSERT_TRUE(std::filesystem::exists(address_.path));
  EXPECT_OK(ProbeAddress(address_));
}

TEST_F(ProbeTest, APathInUseIsRefused) {
  const int fd = ListenOn(address_.path);
  EXPECT_THAT(std::string(ProbeAddress(address_).message()), HasSubstr("another server"));
  close(fd);
}

TEST_F(ProbeTest, AnOrdinaryFileIsNotRemoved) {
  std::ofstream(address_.path) << "precious";
  EXPECT_THAT(std::string(ProbeAddress(address_).message()), HasSubstr("not a socket"));
}

TEST_F(ProbeTest, AFolderThatIsNotThereIsTold) {
  EXPECT_THAT(std::string(ProbeAddress({.path = "/none/socket"}).message()), HasSubstr("/none"));
}

TEST_F(ProbeTest, APortInUseIsRefused) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof name;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length), 0);
  Address address{.kind = Address::Kind::kTcp4, .host = "127.0.0.1", .port = ntohs(name.sin_port)};
  EXPECT_THAT(std::string(ProbeAddress(address).message()), HasSubstr("in use"));
  close(fd);
  address.port = 0;
  EXPECT_OK(ProbeAddress(address));
}

}  // namespace
}  // namespace deconvoy::server
