#include "client/cli/logins.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "client/cli/options/server_options.h"
#include "client/cli/outcome.h"
#include "client/cli/private_file.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LoginsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    unsetenv("DECONVOY_TOKEN");
  }
  void TearDown() override {
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("DECONVOY_TOKEN");
  }

  std::filesystem::path file() const { return folder_.path() / "deconvoy" / "logins.toml"; }
  std::string TokenFor(const std::string& server, const ServerOptions& options = {}) {
    const auto access = AccessTo(server, options);
    EXPECT_OK(access);
    return access.value_or(ServerAccess{}).token;
  }
  static unsigned ModeOf(const std::filesystem::path& path) {
    struct stat about {};
    EXPECT_EQ(stat(path.c_str(), &about), 0);
    return about.st_mode & 0777;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(LoginsTest, ComeBackAsTheyWereAndAreForTheirOwnerAlone) {
  EXPECT_EQ(LoginsFile(), file());
  ASSERT_OK_AND_ASSIGN(const Logins none, ReadLogins(file()));
  EXPECT_THAT(none, IsEmpty());
  const Logins logins = {{"facility:7450", {.token = "dcv_1", .tls_root = "/ca \"x\".pem"}},
                         {"unix:/run/a b", {.token = "dcv_2", .tls_certificate = "/c", .tls_key = "/k"}}};
  ASSERT_OK(WriteLogins(file(), logins));
  EXPECT_EQ(ModeOf(file()), 0600U);
  ASSERT_OK_AND_ASSIGN(const Logins back, ReadLogins(file()));
  EXPECT_EQ(back, logins);
}

TEST_F(LoginsTest, AFileThatOthersMayReadIsRefused) {
  ASSERT_OK(WriteLogins(file(), {{"a:1", {.token = "dcv_1"}}}));
  chmod(file().c_str(), 0644);
  const absl::Status status = ReadLogins(file()).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kRefused);
  EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("chmod 600"));
}

TEST_F(LoginsTest, AFileThatIsNoneIsRefusedWithoutShowingIt) {
  for (const char* text : {"a = 1", "[a]\ntoken = 5", "[secret-text\n", "secret-text"}) {
    ASSERT_OK(WriteLogins(file(), {}));
    ASSERT_OK(WritePrivateFile(file(), text));
    const absl::Status status = ReadLogins(file()).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage) << text;
    EXPECT_THAT(status.ToString(), Not(HasSubstr("secret-text")));
  }
}

TEST_F(LoginsTest, TheTokenOfAFileThenOfTheEnvironmentThenOfTheLogin) {
  EXPECT_EQ(TokenFor("a:1"), "");
  ASSERT_OK(WriteLogins(file(), {{"a:1", {.token = "kept"}}}));
  EXPECT_EQ(TokenFor("a:1"), "kept");
  EXPECT_EQ(TokenFor("b:1"), "") << "a token is shown to its own server only";
  setenv("DECONVOY_TOKEN", "environment", 1);
  EXPECT_EQ(TokenFor("a:1"), "environment");
  ASSERT_OK(WritePrivateFile(folder_.path() / "token", "given\n"));
  ServerOptions options;
  options.access.token = folder_.path() / "token";
  EXPECT_EQ(TokenFor("a:1", options), "given");
  setenv("DECONVOY_TOKEN", "no token", 1);
  EXPECT_EQ(ReasonOf(AccessTo("a:1", {}).status()), v1::INVALID_FIELD);
}

TEST_F(LoginsTest, APrivateFileReplacesAnother) {
  const std::filesystem::path other = folder_.path() / "other";
  std::ofstream(other) << "long content of before";
  chmod(other.c_str(), 0644);
  ASSERT_OK(WritePrivateFile(other, "new"));
  EXPECT_EQ(ModeOf(other), 0600U);
  EXPECT_EQ(std::filesystem::file_size(other), 3U);
  EXPECT_EQ(ExitCodeOf(WritePrivateFile(folder_.path() / "missing" / "x", "y")), ExitCode::kRefused);
}

}  // namespace
}  // namespace deconvoy::client
