#include "client/cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Settings> Read(const std::string& text) {
    const auto file = folder_.path() / "client.toml";
    std::ofstream(file) << text;
    return ReadSettings(file);
  }
  testing::TemporaryFolder folder_;
};

TEST_F(SettingsTest, AMissingFileIsNoError) {
  ASSERT_OK_AND_ASSIGN(const Settings settings, ReadSettings(folder_.path() / "nothing.toml"));
  EXPECT_EQ(settings.server, "");
}

TEST_F(SettingsTest, NamesTheServer) {
  ASSERT_OK_AND_ASSIGN(const Settings settings, Read("# my facility\nserver = \"facility:7450\"\n"));
  EXPECT_EQ(settings.server, "facility:7450");
}

TEST_F(SettingsTest, SaysFileLineAndWhatIsWrong) {
  const auto unknown = Read("\nsrever = \"x:1\"\n");
  EXPECT_EQ(ExitCodeOf(unknown.status()), ExitCode::kUsage);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("client.toml:2"));
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("srever"));
  EXPECT_THAT(InfoOf(unknown.status()).remedy(), HasSubstr("`server`"));
  EXPECT_THAT(std::string(Read("server = 7450\n").status().message()), HasSubstr("not a text"));
  EXPECT_THAT(std::string(Read("server = \n").status().message()), HasSubstr("client.toml:1"));
}

TEST_F(SettingsTest, TheCacheFolderIsMadeWhereItCanBe) {
  setenv("XDG_CACHE_HOME", (folder_.path() / "cache").c_str(), 1);
  const auto made = CacheFolder();
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(std::filesystem::is_directory(*made));
  setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
  EXPECT_FALSE(CacheFolder().has_value());
  unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace deconvoy::client
