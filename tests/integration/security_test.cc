// A server that is open to others, as its operator sets it up and its users reach it: TLS, tokens and the first
// administrator.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"

namespace deconvoy::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRefused = 7, kUnreachable = 4;

class SecurityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeCertificates("certs");
    ASSERT_EQ(Daemon({"--init", "--token-file", File("admin.token")}).code, 0);
  }

  void MakeCertificates(const std::string& folder) {
    const std::string command = (SourceDir() / "deploy/dev-certs.sh").string() + " " + File(folder) + " >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string state() const { return server_.state().string(); }

  // Runs deconvoyd on the server's state folder to its end; what it wrote is in `out_` and `err_`.
  Exit Daemon(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--state", state()});
    Process daemon("deconvoyd", arguments, {.environment = {}, .folder = folder_.path(), .label = "daemon"});
    const auto exit = daemon.Wait(seconds(60));
    out_ = daemon.Output();
    err_ = daemon.Errors();
    return exit.value_or(Exit{});
  }

  // Starts the server with tokens, and with TLS.
  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "--tokens", "required", "--tls-certificate", File("certs/server.pem"), "--tls-key", File("certs/server.key")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ASSERT_TRUE(server_.Start({}, arguments)) << server_.Log();
  }

  // Runs a command on the server as somebody.
  CliResult As(const std::string& token_file, std::vector<std::string> arguments,
               const std::string& root = "certs/ca.pem", const std::vector<std::string>& more = {}) {
    arguments.insert(arguments.end(), {"--server", server_.address()});
    if (!token_file.empty()) arguments.insert(arguments.end(), {"--token-file", File(token_file)});
    if (!root.empty()) arguments.insert(arguments.end(), {"--tls-root", File(root)});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCli(arguments, folder_.path(), {{"XDG_CONFIG_HOME", File("config")}});
  }

  // A user with a token in `NAME.token`.
  void AddUser(const std::string& name, const std::string& role = "user") {
    ASSERT_EQ(As("admin.token", {"admin", "user", "add", name, "--role", role}).exit.code, 0);
    ASSERT_EQ(As("admin.token", {"admin", "token", "new", name, "-o", File(name + ".token")}).exit.code, 0);
  }

  std::string Token(const std::string& name) const {
    std::string text;
    std::ifstream(folder_.path() / (name + ".token")) >> text;
    return text;
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1, ServerProcess::Door::kPort};
  std::string out_, err_;
};

TEST_F(SecurityTest, TheFirstAdminIsMadeOnItsMachineAndOnce) {
  struct stat about {};
  ASSERT_EQ(stat(File("admin.token").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  EXPECT_EQ(out_, "") << "the token is in its file";
  EXPECT_THAT(err_, Not(HasSubstr(Token("admin"))));
  EXPECT_EQ(Daemon({"--init", "--token-file", File("admin.token")}).code, 3) << "the file is there";
  EXPECT_NE(Daemon({"--init"}).code, 0);
  EXPECT_THAT(err_, HasSubstr("administrator already"));
  EXPECT_EQ(out_, "");
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_NE(Daemon({"--init"}).code, 0) << "while the server runs";
  EXPECT_THAT(err_, HasSubstr("in use"));
}

TEST_F(SecurityTest, OthersAreLetInOverTlsWithTokensOnly) {
  EXPECT_EQ(Daemon({"--listen", "0.0.0.0:0"}).code, 2);
  EXPECT_THAT(err_, HasSubstr("neither encrypted nor authenticated"));
  EXPECT_THAT(err_, HasSubstr("--init"));
  EXPECT_EQ(Daemon({"--listen", "0.0.0.0:0", "--tokens", "required"}).code, 2);
  EXPECT_THAT(err_, HasSubstr("not encrypted"));
  EXPECT_EQ(Daemon({"--tls-certificate", File("certs/server.pem"), "--tls-key", File("certs/client.key")}).code, 2);
  EXPECT_THAT(err_, HasSubstr("not the key"));
  EXPECT_EQ(
      Daemon({"--tls-certificate", File("certs/server.pem"), "--tls-key", File("missing"), "--check-config"}).code, 2);
  EXPECT_THAT(err_, HasSubstr("tls.key"));
}

TEST_F(SecurityTest, AUserWorksOverTlsAndSeesOnlyTheirOwn) {
  ASSERT_NO_FATAL_FAILURE(Start({"--log-level", "trace", "--audit-file", File("audit.log")}));
  ASSERT_NO_FATAL_FAILURE(AddUser("ada"));
  ASSERT_NO_FATAL_FAILURE(AddUser("bob"));
  // Plaintext, the wrong authority, and no token.
  EXPECT_EQ(As("ada.token", {"jobs"}, "").exit.code, kUnreachable);
  ASSERT_NO_FATAL_FAILURE(MakeCertificates("others"));
  EXPECT_EQ(As("ada.token", {"jobs"}, "others/ca.pem").exit.code, kUnreachable);
  const CliResult nobody = As("", {"jobs", "--json"});
  EXPECT_EQ(nobody.exit.code, kRefused);
  EXPECT_EQ(LastJson(nobody.out)["reason"], "NO_TOKEN");
  const CliResult simulated = As("ada.token", {"simulate", "-o", File("sample"), "--shape", "8,32,32", "--psf-fwhm-um",
                                               "0.6,0.25,0.25", "--json"});
  ASSERT_EQ(simulated.exit.code, 0) << simulated.err << server_.Log();
  const CliResult submitted =
      As("ada.token", {"submit", File("sample/raw.ome.tif"), "--psf", File("sample/psf.ome.tif"), "--method", "rl",
                       "--iterations", "2", "--json"});
  ASSERT_EQ(submitted.exit.code, 0) << submitted.err;
  const CliResult jobs = As("ada.token", {"jobs", "--all", "--json"});
  const std::string job = LastJson(jobs.out)["name"];
  EXPECT_THAT(job, HasSubstr("jobs/"));
  EXPECT_EQ(As("ada.token", {"watch", job}).exit.code, 0);
  for (const char* verb : {"job", "watch", "cancel", "fetch"}) {
    std::vector<std::string> arguments = {verb, job};
    if (std::string(verb) == "fetch") arguments.insert(arguments.end(), {"-o", File("stolen.tif")});
    const CliResult stolen = As("bob.token", arguments);
    EXPECT_EQ(stolen.exit.code, 3) << verb << stolen.err;
  }
  EXPECT_EQ(As("bob.token", {"jobs", "--all", "--json"}).out, "");
  const CliResult volumes = As("ada.token", {"volumes", "--json"});
  EXPECT_EQ(As("bob.token", {"volumes", "delete", LastJson(volumes.out)["name"]}).exit.code, 3);
  EXPECT_EQ(As("bob.token", {"admin", "user", "list"}).exit.code, kRefused);
  EXPECT_EQ(As("ada.token", {"job", job, "--delete"}).exit.code, 0);
  // No token in a log, and who did what in the audit log.
  const std::string audit = ReadText(File("audit.log"));
  EXPECT_THAT(audit, HasSubstr("who=\"ada\""));
  EXPECT_THAT(audit, HasSubstr("what=\"Jobs.Delete\" about=\"" + job + "\" outcome=\"ok\""));
  EXPECT_THAT(audit, HasSubstr("what=\"Admin.CreateUser\" about=\"users/ada"));
  EXPECT_THAT(audit, HasSubstr("has no token"));
  for (const char* name : {"admin", "ada", "bob"}) {
    ASSERT_GT(Token(name).size(), 60U);
    EXPECT_THAT(audit, Not(HasSubstr(Token(name))));
    EXPECT_THAT(server_.Log(), Not(HasSubstr(Token(name))));
  }
}

TEST_F(SecurityTest, AModelThatIsAProgramIsForAdmins) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(AddUser("ada"));
  std::ofstream(File("net.pt"), std::ios::binary) << "PK\3\4" << std::string(100, 'x');
  std::ofstream(File("rdf.yaml")) << "inputs: []\n";
  const std::vector<std::string> import = {"models",       "import",         "net",   File("net.pt"),
                                           "--descriptor", File("rdf.yaml"), "--json"};
  const CliResult refused = As("ada.token", import);
  EXPECT_EQ(refused.exit.code, kRefused) << refused.err;
  EXPECT_EQ(LastJson(refused.out)["reason"], "ROLE_NOT_ALLOWED");
  EXPECT_EQ(As("ada.token", {"volumes", "--json"}).out, "") << "nothing of it stays";
  const CliResult broken = As("admin.token", import);
  EXPECT_NE(broken.exit.code, 0);
  EXPECT_NE(LastJson(broken.out)["reason"], "ROLE_NOT_ALLOWED");
}

TEST_F(SecurityTest, LoginKeepsTheTokenUntilLogout) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(AddUser("ada"));
  std::ofstream(File("wrong.token")) << "dcv_wrong\n";
  EXPECT_EQ(As("wrong.token", {"login"}).exit.code, kRefused);
  EXPECT_EQ(As("", {"jobs"}).exit.code, kRefused) << "what did not work is not kept";
  const CliResult in = As("ada.token", {"login", "--json"});
  ASSERT_EQ(in.exit.code, 0) << in.err;
  EXPECT_EQ(LastJson(in.out)["user"], "users/ada");
  EXPECT_THAT(in.out + in.err, Not(HasSubstr(Token("ada"))));
  EXPECT_EQ(As("", {"jobs"}, "").exit.code, 0) << "token and authority are kept";
  ASSERT_EQ(As("admin.token", {"admin", "token", "revoke", "users/ada/tokens/1"}).exit.code, 0);
  const CliResult revoked = As("", {"jobs", "--json"}, "");
  EXPECT_EQ(LastJson(revoked.out)["reason"], "BAD_TOKEN");
  EXPECT_EQ(As("", {"logout"}, "").exit.code, 0);
  EXPECT_THAT(ReadText(File("config/deconvoy/logins.toml")), Not(HasSubstr(Token("ada"))));
}

TEST_F(SecurityTest, ADisabledUserIsOutAndTheLastAdminStays) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(AddUser("ada"));
  EXPECT_EQ(As("ada.token", {"jobs"}).exit.code, 0);
  EXPECT_EQ(As("admin.token", {"admin", "user", "set", "ada", "--disable"}).exit.code, 0);
  EXPECT_EQ(As("ada.token", {"jobs"}).exit.code, kRefused);
  EXPECT_EQ(As("admin.token", {"admin", "user", "set", "ada", "--enable"}).exit.code, 0);
  EXPECT_EQ(As("ada.token", {"jobs"}).exit.code, 0);
  const CliResult last = As("admin.token", {"admin", "user", "set", "admin", "--role", "user", "--json"});
  EXPECT_EQ(last.exit.code, kRefused);
  EXPECT_EQ(LastJson(last.out)["reason"], "LAST_ADMIN");
}

TEST_F(SecurityTest, WithMutualTlsTheTokenAloneIsNotEnough) {
  ASSERT_NO_FATAL_FAILURE(Start({"--tls-client-ca", File("certs/ca.pem")}));
  EXPECT_EQ(As("admin.token", {"jobs"}).exit.code, kUnreachable);
  ASSERT_NO_FATAL_FAILURE(MakeCertificates("others"));
  EXPECT_EQ(As("admin.token", {"jobs"}, "certs/ca.pem",
               {"--tls-certificate", File("others/client.pem"), "--tls-key", File("others/client.key")})
                .exit.code,
            kUnreachable);
  const std::vector<std::string> own = {"--tls-certificate", File("certs/client.pem"), "--tls-key",
                                        File("certs/client.key")};
  EXPECT_EQ(As("admin.token", {"jobs"}, "certs/ca.pem", own).exit.code, 0);
  EXPECT_EQ(As("", {"jobs"}, "certs/ca.pem", own).exit.code, kRefused);
}

TEST_F(SecurityTest, AWorkerFromElsewhereShowsATokenOfItsRole) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(AddUser("node", "worker"));
  ASSERT_NO_FATAL_FAILURE(AddUser("ada"));
  EXPECT_EQ(As("node.token", {"jobs"}).exit.code, kRefused);
  const auto worker = [this](const std::string& label, const std::string& token) {
    return std::make_unique<Process>(
        "deconvoy-worker",
        std::vector<std::string>{"--server", server_.address(), "--token-file", File(token), "--tls-root",
                                 File("certs/ca.pem"), "--threads", "1", "--state", PlanCache().string()},
        Process::Options{.environment = {}, .folder = folder_.path(), .label = label});
  };
  const auto good = worker("good", "node.token");
  EXPECT_TRUE(Eventually([this] {
    const std::string out = As("ada.token", {"workers", "--json"}).out;
    return std::count(out.begin(), out.end(), '\n') == 2;
  })) << good->Errors();
  const auto bad = worker("bad", "ada.token");
  const auto exit = bad->Wait(seconds(60));
  ASSERT_TRUE(exit.has_value());
  EXPECT_NE(exit->code, 0);
  EXPECT_THAT(bad->Errors(), HasSubstr("role"));
}

TEST_F(SecurityTest, NoTokenIsOnACommandLine) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(ProcessesNaming(Token("admin")).empty());
  std::string credential;
  std::ifstream(server_.state() / "worker.credential") >> credential;
  ASSERT_FALSE(credential.empty());
  EXPECT_TRUE(ProcessesNaming(credential).empty());
  EXPECT_NE(RunCli({"jobs", "--token", "dcv_x", "--server", server_.address()}, folder_.path()).exit.code, 0)
      << "there is no option that takes one";
}

}  // namespace
}  // namespace deconvoy::testing
