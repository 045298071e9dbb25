#include "worker/config/flags.h"

#include <gtest/gtest.h>

#include <vector>

namespace deconvoy::worker {
namespace {

ParsedFlags Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "deconvoy-worker");
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Flags, ServingNeedsServerAndCredential) {
  EXPECT_EQ(Parse({}).exit_code, 2);
  EXPECT_EQ(Parse({"--server", "unix:/a"}).exit_code, 2);
  EXPECT_EQ(Parse({"--credential-file", "/c"}).exit_code, 2);
  const ParsedFlags parsed = Parse({"--server", "unix:/a", "--credential-file", "/c"});
  EXPECT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.flags.action, Flags::Action::kServe);
  EXPECT_EQ(parsed.flags.server, "unix:/a");
  EXPECT_FALSE(parsed.flags.die_with_parent);
}

TEST(Flags, AWorkerShowsACredentialOrAToken) {
  EXPECT_EQ(Parse({"--server", "facility:1"}).exit_code, 2);
  EXPECT_EQ(Parse({"--server", "facility:1", "--credential-file", "/c", "--token-file", "/t"}).exit_code, 2);
  const ParsedFlags parsed = Parse({"--server", "facility:1", "--token-file", "/t", "--tls-root", "/r",
                                    "--tls-certificate", "/x", "--tls-key", "/k"});
  ASSERT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.flags.access.token, "/t");
  EXPECT_EQ(parsed.flags.access.tls_root, "/r");
  EXPECT_EQ(parsed.flags.access.tls_certificate, "/x");
  EXPECT_EQ(parsed.flags.access.tls_key, "/k");
}

TEST(Flags, AreTakenAsGiven) {
  const ParsedFlags parsed =
      Parse({"--server", "h:1", "--credential-file", "/c", "--spool", "/s", "--threads", "3", "--memory-mib", "512",
             "--state", "/t", "--log-level", "debug", "--die-with-parent"});
  ASSERT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.flags.spool, "/s");
  EXPECT_EQ(parsed.flags.threads, 3);
  EXPECT_EQ(parsed.flags.memory_mib, 512);
  EXPECT_EQ(parsed.flags.state, "/t");
  EXPECT_EQ(parsed.flags.log_level, "debug");
  EXPECT_TRUE(parsed.flags.die_with_parent);
}

TEST(Flags, PinningIsAShareOfTheMachine) {
  const ParsedFlags parsed = Parse({"--self-test", "--pin", "2/4"});
  ASSERT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.flags.pinned_index, 1);
  EXPECT_EQ(parsed.flags.pinned_count, 4);
  for (const char* wrong : {"0/2", "3/2", "1", "1/", "/2", "1/2/3", "a/b", "-1/2", "1/1000"}) {
    EXPECT_EQ(Parse({"--self-test", "--pin", wrong}).exit_code, 2) << wrong;
  }
}

TEST(Flags, PlanningNeedsAFolder) {
  EXPECT_EQ(Parse({"--plan"}).exit_code, 2);
  const ParsedFlags parsed = Parse({"--plan", "--state", "/t", "--largest", "512"});
  ASSERT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.flags.action, Flags::Action::kPlan);
  EXPECT_EQ(parsed.flags.largest_extent, 512);
  EXPECT_EQ(Parse({"--plan", "--state", "/t", "--largest", "10"}).exit_code, 2);
  EXPECT_EQ(Parse({"--plan", "--state", "/t", "--describe"}).exit_code, 2);
  EXPECT_EQ(Parse({"--self-test", "--largest", "512"}).exit_code, 2);
}

TEST(Flags, MistakesAreUsageErrors) {
  const std::vector<const char*> good{"--server", "h:1", "--credential-file", "/c"};
  for (const auto& [name, value] : {std::pair{"--threads", "-1"},
                                    {"--threads", "many"},
                                    {"--memory-mib", "-5"},
                                    {"--log-level", "loud"},
                                    {"--nonsense", "1"}}) {
    std::vector<const char*> arguments = good;
    arguments.insert(arguments.end(), {name, value});
    EXPECT_EQ(Parse(arguments).exit_code, 2) << name << ' ' << value;
  }
}

TEST(Flags, OtherActionsNeedNoServer) {
  EXPECT_EQ(Parse({"--describe", "--json"}).flags.action, Flags::Action::kDescribe);
  EXPECT_TRUE(Parse({"--describe", "--json"}).flags.json);
  EXPECT_EQ(Parse({"--self-test"}).flags.action, Flags::Action::kSelfTest);
  EXPECT_EQ(Parse({"--self-test", "--describe"}).exit_code, 2);
  EXPECT_EQ(Parse({"--json", "--self-test"}).exit_code, 2);
  EXPECT_EQ(Parse({"--version"}).exit_code, 0);
  EXPECT_EQ(Parse({"--help"}).exit_code, 0);
}

TEST(Flags, AGpuIsChosenByIndexOrUuid) {
  const ParsedFlags parsed =
      Parse({"--server", "h:1", "--credential-file", "/c", "--backend", "cuda", "--device", "GPU-8c1f"});
  ASSERT_FALSE(parsed.exit_code.has_value());
  EXPECT_EQ(parsed.flags.backend, "cuda");
  EXPECT_EQ(parsed.flags.device, "GPU-8c1f");
  EXPECT_EQ(Parse({"--self-test"}).flags.backend, "cpu");
  EXPECT_EQ(Parse({"--self-test", "--backend", "opencl"}).exit_code, 2);
  EXPECT_EQ(Parse({"--self-test", "--device", "0"}).exit_code, 2) << "the processors are no device to choose";
  EXPECT_EQ(Parse({"--self-test", "--backend", "cuda", "--pin", "1/2"}).exit_code, 2);
  EXPECT_EQ(Parse({"--plan", "--state", "/s", "--backend", "cuda"}).exit_code, 2);
}

TEST(Flags, DevicesAndMethodsAreToldAsJson) {
  for (const char* action : {"--devices", "--describe"}) {
    const ParsedFlags parsed = Parse({action, "--json"});
    ASSERT_FALSE(parsed.exit_code.has_value()) << action;
    EXPECT_TRUE(parsed.flags.json);
  }
  EXPECT_EQ(Parse({"--self-test", "--json"}).exit_code, 2);
}

}  // namespace
}  // namespace deconvoy::worker
