// Callers without a good token who call again and again.
#include <regex>

#include "tests/unit/server/api/security_fixture.h"

namespace deconvoy::server {
namespace {

constexpr int kPatience = 10'000;

class StrangersApiTest : public SecurityApiTest {
 protected:
  StrangersApiTest() { limits_.refused_per_second = 1; }

  // Makes calls with a bad token until so many are answered with TOO_MANY_CALLS; returns the last such answer.
  grpc::Status CallUntilRefusedAsTooMany(int times) {
    for (int left = times; calls_ < kPatience;) {
      ++calls_;
      grpc::Status status = Make("Volumes.List", "Bearer wrong-token");
      if (ReasonOf(status) == v1::TOO_MANY_CALLS && --left == 0) return status;
      if (ReasonOf(status) == v1::TOO_MANY_CALLS) continue;
      EXPECT_EQ(ReasonOf(status), v1::BAD_TOKEN);
    }
    ADD_FAILURE() << "of " << calls_ << " calls, too few were too many";
    return grpc::Status::OK;
  }

  int64_t calls_ = 0;  // that were refused
};

TEST_F(StrangersApiTest, TooManyAreToldSoAndWhoHasATokenIsLetIn) {
  const grpc::Status refused = CallUntilRefusedAsTooMany(1);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const v1::ErrorInfo info = InfoOf(refused);
  EXPECT_EQ(info.metadata().at("limit"), "1");
  EXPECT_GT(std::stoi(info.metadata().at("retry_after_ms")), 0);
  EXPECT_LE(std::stoi(info.metadata().at("retry_after_ms")), 1000);
  EXPECT_TRUE(Make("Volumes.List", ada_).ok()) << "though she comes from the same address";
  EXPECT_NE(Make("Workers.Synchronize", Authorization()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(StrangersApiTest, CallsOfWorkersAndOfOtherRolesCountToo) {
  for (const auto& [rpc, authorization] :
       {std::pair("Workers.Synchronize", std::string()), std::pair("Admin.ListUsers", ada_)}) {
    int calls = 0;
    while (ReasonOf(Make(rpc, authorization)) != v1::TOO_MANY_CALLS && calls < kPatience) ++calls;
    EXPECT_LT(calls, kPatience) << rpc;
  }
}

TEST_F(StrangersApiTest, LinesAreFewAndAccountForEveryCall) {
  CallUntilRefusedAsTooMany(200);
  server_.reset();
  std::istringstream log(log_.str());
  const std::regex more("([0-9]+) more calls");
  int64_t told = 0, left_out = 0;
  for (std::string line; std::getline(log, line);) {
    if (line.find("audit who=\"\"") == std::string::npos) continue;
    std::smatch found;
    if (std::regex_search(line, found, more)) left_out += std::stoll(found[1]);
    if (line.find("what=\"\"") == std::string::npos) ++told;
  }
  EXPECT_GT(left_out, 0);
  EXPECT_GT(told, 0);
  EXPECT_EQ(told + left_out, calls_);
}

}  // namespace
}  // namespace deconvoy::server
