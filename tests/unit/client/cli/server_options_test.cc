#include "client/cli/options/server_options.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "client/cli/outcome.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

class ServerOptionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    unsetenv("DECONVOY_SERVER");
  }
  void TearDown() override {
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("DECONVOY_SERVER");
  }

  void Configure(const std::string& server) {
    std::filesystem::create_directories(folder_.path() / "deconvoy");
    std::ofstream(folder_.path() / "deconvoy" / "client.toml") << "server = \"" << server << "\"\n";
  }

  std::optional<std::string> Choose(const std::string& line) {
    CLI::App verb;
    ServerOptions options;
    AddServerOrLocalOptions(verb, options);
    verb.parse(line);
    const auto chosen = ChooseServer(options);
    EXPECT_OK(chosen);
    return chosen.value_or(std::nullopt);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ServerOptionsTest, OptionThenEnvironmentThenFileThenLocal) {
  EXPECT_EQ(Choose(""), std::nullopt);
  Configure("file:1");
  EXPECT_EQ(Choose(""), "file:1");
  setenv("DECONVOY_SERVER", "environment:1", 1);
  EXPECT_EQ(Choose(""), "environment:1");
  EXPECT_EQ(Choose("--server option:1"), "option:1");
  EXPECT_EQ(Choose("--local"), std::nullopt);
}

TEST_F(ServerOptionsTest, LocalAndServerExcludeEachOther) {
  EXPECT_THROW(Choose("--local --server a:1"), CLI::ParseError);
  EXPECT_THROW(Choose("--threads 2 --server a:1"), CLI::ParseError);
}

TEST_F(ServerOptionsTest, OptionsOfALocalServerAreNotIgnored) {
  setenv("DECONVOY_SERVER", "environment:1", 1);
  ServerOptions options;
  options.threads = 2;
  EXPECT_EQ(ExitCodeOf(ChooseServer(options).status()), ExitCode::kUsage);
}

TEST_F(ServerOptionsTest, SomeCommandsNeedAServer) {
  EXPECT_EQ(ExitCodeOf(RequireServer({}).status()), ExitCode::kUsage);
  setenv("DECONVOY_SERVER", "environment:1", 1);
  EXPECT_EQ(*RequireServer({}), "environment:1");
}

}  // namespace
}  // namespace deconvoy::client
