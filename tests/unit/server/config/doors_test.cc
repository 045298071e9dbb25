#include <gmock/gmock.h>

#include "proto/contract/error.h"
#include "server/config/server_config.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ServerConfig On(const std::string& address) {
  ServerConfig config;
  config.listen = {"127.0.0.1:0", address};
  return config;
}

ServerConfig Encrypted(ServerConfig config) {
  config.tls_certificate = "c.pem";
  config.tls_key = "k.pem";
  return config;
}

ServerConfig WithTokens(ServerConfig config) {
  config.auth_tokens = "required";
  return config;
}

TEST(Doors, WhatOnlyThisMachineReachesNeedsNothing) {
  for (const char* address : {"unix:/run/d.sock", "127.0.0.1:7450", "[::1]:7450"}) {
    EXPECT_OK(CheckDoors(On(address)));
    EXPECT_OK(CheckDoors(WithTokens(On(address))));
    EXPECT_OK(CheckDoors(Encrypted(On(address))));
  }
  EXPECT_OK(CheckDoors(ServerConfig{}));
}

TEST(Doors, WhatOthersReachNeedsBothTlsAndTokens) {
  for (const char* address : {"0.0.0.0:7450", "[::]:7450", "192.168.1.4:7450"}) {
    const auto refused = [&](const ServerConfig& config, const char* why) {
      const absl::Status status = CheckDoors(config);
      EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << address;
      EXPECT_EQ(InfoOf(status).field(), "listen");
      EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(address), HasSubstr(why)));
      EXPECT_THAT(InfoOf(status).remedy(), AllOf(HasSubstr("tls.certificate"), HasSubstr("auth.tokens"),
                                                 HasSubstr("--init"), HasSubstr("dev-certs.sh")));
    };
    refused(On(address), "neither encrypted nor authenticated");
    refused(WithTokens(On(address)), "not encrypted");
    refused(Encrypted(On(address)), "not authenticated");
    EXPECT_OK(CheckDoors(Encrypted(WithTokens(On(address)))));
  }
}

TEST(Doors, HalfOfTlsIsRefused) {
  ServerConfig certificate, key, authority;
  certificate.tls_certificate = "c.pem";
  key.tls_key = "k.pem";
  authority.tls_client_ca = "ca.pem";
  EXPECT_EQ(InfoOf(CheckDoors(certificate)).field(), "tls.key");
  EXPECT_EQ(InfoOf(CheckDoors(key)).field(), "tls.certificate");
  EXPECT_EQ(InfoOf(CheckDoors(authority)).field(), "tls.client_ca");
}

}  // namespace
}  // namespace deconvoy::server
