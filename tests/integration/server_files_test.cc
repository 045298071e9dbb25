// Files that the server sees itself: imported, deconvolved and exported with the real programs; who may touch which;
// and workers that die on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kInvalid = 3, kRefused = 7;

class ServerFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"data", "out", "bobs"}) fs::create_directories(folder_.path() / name);
    ASSERT_NO_FATAL_FAILURE(Simulate(folder_.path() / "sample", "8,48,40", 7));
    fs::copy_file(folder_.path() / "sample/raw.ome.tif", File("data/raw.ome.tif"));
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }
  std::vector<std::string> Roots() const {
    return {"--files-read-only", "data=" + File("data"), "--files-read-write", "out=" + File("out"),
            "bobs=" + File("bobs")};
  }
  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = Roots();
    arguments.insert(arguments.end(), more.begin(), more.end());
    ASSERT_TRUE(server_.Start({}, arguments)) << server_.Log();
  }
  // The volume that an import answers.
  std::string Import(const std::string& file, const ServerProcess& server) {
    const CliResult done = server.Cli({"volumes", "import", file, "--quiet"});
    EXPECT_EQ(done.exit.code, 0) << done.err;
    return done.out.substr(0, done.out.find('\n'));
  }
  std::string Import(const std::string& file) { return Import(file, server_); }
  // Why a command is refused, and that it exits so.
  std::string Refused(int code, std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const CliResult result = server_.Cli(arguments);
    EXPECT_EQ(result.exit.code, code) << result.out << result.err;
    return LastJson(result.out).value("reason", "");
  }
  size_t FilesIn(const std::string& folder) const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(File(folder)), fs::directory_iterator()));
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
};

TEST_F(ServerFilesTest, ImportDeconvolveExportIsWhatRunWrites) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_THAT(server_.Cli({"volumes", "roots"}).out, HasSubstr("data"));
  const std::string volume = Import("data/raw.ome.tif");
  ASSERT_EQ(volume.rfind("volumes/", 0), 0U) << volume;
  EXPECT_EQ(Import("data/raw.ome.tif"), volume) << "it is there already";
  const std::string psf = File("sample/psf.ome.tif");
  const CliResult submitted =
      server_.Cli({"submit", "server:data/raw.ome.tif", "--psf", psf, "--iterations", "5", "--quiet"});
  ASSERT_EQ(submitted.exit.code, 0) << submitted.err;
  const std::string job = submitted.out.substr(0, submitted.out.find('\n'));
  ASSERT_EQ(server_.Cli({"watch", job}).exit.code, 0);
  const nlohmann::json shown = LastJson(server_.Cli({"job", job, "--json"}).out);
  EXPECT_EQ(shown["spec"]["deconvolve"]["input_volume"], volume);
  const std::string result = shown["outputs"][0]["volume"];
  const CliResult exported = server_.Cli({"volumes", "export", result, "out/result.ome.tif"});
  ASSERT_EQ(exported.exit.code, 0) << exported.err;

  // The same by sending and fetching.
  ASSERT_EQ(server_.Cli({"run", File("data/raw.ome.tif"), "--psf", psf, "--iterations", "5", "-o", File("run.ome.tif")})
                .exit.code,
            0);
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(File("run.ome.tif")));
  ASSERT_OK_AND_ASSIGN(const Image written, LoadImage(File("out/result.ome.tif")));
  EXPECT_EQ(written.voxels, expected.voxels);
  EXPECT_EQ(written.spec.voxel_size().SerializeAsString(), expected.spec.voxel_size().SerializeAsString());
  EXPECT_EQ(written.spec.channels_size(), expected.spec.channels_size());
  EXPECT_EQ(FilesIn("out"), 1U);
  EXPECT_EQ(FilesIn("data"), 1U) << "nothing is written there";
}

TEST_F(ServerFilesTest, OfEveryWayOutNoneIsOpen) {
  ASSERT_NO_FATAL_FAILURE(Start());
  std::ofstream(File("secret.tif")) << "secret";
  fs::create_symlink("../secret.tif", File("data/relative.tif"));
  fs::create_symlink(File("secret.tif"), File("data/absolute.tif"));
  fs::create_symlink("..", File("out/up"));
  for (const char* file : {"data/../secret.tif", "/etc/passwd", "data//etc/passwd", "../secret.tif"}) {
    EXPECT_EQ(Refused(kRefused, {"volumes", "import", file}), "PATH_NOT_ALLOWED") << file;
  }
  for (const char* file : {"data/relative.tif", "data/absolute.tif", "out/up/secret.tif"}) {
    EXPECT_EQ(Refused(kRefused, {"volumes", "import", file}), "PATH_NOT_ALLOWED") << file;
  }
  EXPECT_EQ(Refused(kInvalid, {"volumes", "import", "data/none.tif"}), "NOT_FOUND");
  std::ofstream(File("data/text.tif")) << "text";
  const CliResult text = server_.Cli({"volumes", "import", "data/text.tif"});
  EXPECT_EQ(text.exit.code, kInvalid) << text.err;
  EXPECT_THAT(text.err, HasSubstr("data/text.tif"));
  EXPECT_THAT(text.err, Not(HasSubstr(File("data")))) << "paths of the server are its own affair";

  const std::string volume = Import("data/raw.ome.tif");
  EXPECT_EQ(Refused(kRefused, {"volumes", "export", volume, "out/up/x.tif"}), "PATH_NOT_ALLOWED");
  EXPECT_EQ(Refused(kRefused, {"volumes", "export", volume, "out/../x.tif"}), "PATH_NOT_ALLOWED");
  EXPECT_EQ(Refused(kRefused, {"volumes", "export", volume, "data/x.tif"}), "PATH_NOT_ALLOWED");
  EXPECT_FALSE(fs::exists(File("x.tif")));
  ASSERT_EQ(server_.Cli({"volumes", "export", volume, "out/x.tif"}).exit.code, 0);
  std::ofstream(File("out/mine.tif")) << "mine";
  EXPECT_EQ(Refused(kRefused, {"volumes", "export", volume, "out/mine.tif"}), "FILE_EXISTS");
  EXPECT_EQ(fs::file_size(File("out/mine.tif")), 4U);
  EXPECT_EQ(server_.Cli({"volumes", "export", volume, "out/mine.tif", "--overwrite"}).exit.code, 0);
  EXPECT_OK(LoadImage(File("out/mine.tif")));
}

TEST_F(ServerFilesTest, AFolderThatIsNotThereIsToldWithTheConfiguration) {
  const auto check = [&](const std::string& folder) {
    Process daemon("deconvoyd", {"--state", server_.state().string(), "--check-config", "--files-read-only", folder},
                   {.environment = {}, .folder = folder_.path(), .label = "daemon"});
    EXPECT_EQ(daemon.Wait(std::chrono::seconds(60)).value_or(Exit{}).code, 0) << "storage may be mounted later";
    EXPECT_THAT(daemon.Output(), HasSubstr("the configuration is right"));
    return daemon.Errors();
  };
  EXPECT_EQ(check("data=" + File("data")), "");
  EXPECT_THAT(check("data=" + File("none")), HasSubstr("the folder for files \"data\", cannot be used"));
}

TEST_F(ServerFilesTest, WithoutFoldersTheCallsSayWhatToSetUp) {
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const CliResult refused = server_.Cli({"volumes", "import", "data/raw.ome.tif"});
  EXPECT_EQ(refused.exit.code, kRefused) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("files.read_only"));
}

TEST_F(ServerFilesTest, AWorkerThatDiesLeavesNothingHalf) {
  fs::create_directories(folder_.path() / "alone");
  ServerProcess server(folder_.path() / "alone", 0);
  ASSERT_TRUE(server.Start({}, Roots())) << server.Log();
  const auto dies = [&](const std::string& point) {
    auto doomed = server.StartWorker("doomed", true, {{"DECONVOY_WORKER_CRASH_POINT", point}});
    const auto exit = doomed->Wait(std::chrono::seconds(60));
    ASSERT_TRUE(exit.has_value()) << doomed->Errors();
    EXPECT_EQ(exit->signal, SIGKILL);
  };
  std::string volume;
  for (const char* point : {"worker-task-started:1", "worker-before-delivery:1", "worker-before-delivery:2"}) {
    SCOPED_TRACE(point);
    std::thread importing([&] { volume = Import("data/raw.ome.tif", server); });
    dies(point);
    auto healthy = server.StartWorker("healthy");
    importing.join();
    ASSERT_EQ(server.Cli({"volumes", "export", volume, "out/back.ome.tif", "--overwrite"}).exit.code, 0);
    ASSERT_OK_AND_ASSIGN(const Image back, LoadImage(File("out/back.ome.tif")));
    ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(File("data/raw.ome.tif")));
    EXPECT_EQ(back.voxels, raw.voxels);
    EXPECT_EQ(server.Cli({"volumes", "delete", volume}).exit.code, 0) << "so that it is imported anew";
  }
  {
    auto healthy = server.StartWorker("healthy");
    volume = Import("data/raw.ome.tif", server);
  }
  // Killed halfway, nothing is there; killed before it is known that the file has been written, that stays.
  for (const char* point : {"worker-mid-file:1", "worker-before-delivery:1"}) {
    SCOPED_TRACE(point);
    const bool written = std::string(point) != "worker-mid-file:1";
    const std::string name = written ? "out/late.ome.tif" : "out/mid.ome.tif";
    CliResult exported;
    std::thread exporting([&] { exported = server.Cli({"volumes", "export", volume, name}); });
    dies(point);
    EXPECT_EQ(fs::exists(File(name)), written);
    auto healthy = server.StartWorker("healthy");
    exporting.join();
    EXPECT_EQ(exported.exit.code, 0) << exported.err;
    EXPECT_OK(LoadImage(File(name)));
  }
  EXPECT_EQ(FilesIn("out"), 3U) << "and nothing beside";
}

// An import's steps are: a lease and what was found in the file, a lease and its planes.
TEST_F(ServerFilesTest, AServerThatDiesLeavesNoHalfVolume) {
  for (const std::string point : {"step-before-apply:2", "step-after-apply:2", "deliver-before-commit:2",
                                  "step-before-apply:4", "step-after-apply:4"}) {
    SCOPED_TRACE(point);
    const fs::path place = folder_.path() / point.substr(0, point.find(':')) / point.substr(point.find(':') + 1);
    fs::create_directories(place);
    ServerProcess server(place, 0);
    ASSERT_TRUE(server.Start({{"DECONVOY_CRASH_POINT", point}}, Roots())) << server.Log();
    auto worker = server.StartWorker("worker");
    std::string volume;
    std::thread importing([&] { volume = Import("data/raw.ome.tif", server); });
    const auto exit = server.process().Wait(std::chrono::seconds(60));
    const bool died = exit && exit->signal == SIGKILL;
    const bool again = died && server.Start({}, Roots());
    importing.join();
    ASSERT_TRUE(again) << server.Log();
    const std::string volumes = server.Cli({"volumes", "--json"}).out;
    EXPECT_EQ(std::count(volumes.begin(), volumes.end(), '\n'), 1) << volumes;
    EXPECT_EQ(LastJson(volumes)["name"], volume);
    EXPECT_EQ(LastJson(volumes)["state"], "COMPLETE");
    const fs::path files = server.state() / "spool/volumes";
    EXPECT_EQ(std::distance(fs::directory_iterator(files), fs::directory_iterator()), 1) << "no file of another";
    ASSERT_EQ(server.Cli({"volumes", "export", volume, "out/back.ome.tif", "--overwrite"}).exit.code, 0);
    ASSERT_OK_AND_ASSIGN(const Image back, LoadImage(File("out/back.ome.tif")));
    ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(File("data/raw.ome.tif")));
    EXPECT_EQ(back.voxels, raw.voxels);
  }
}

TEST_F(ServerFilesTest, TwoUsersHaveTheirOwnFolders) {
  const auto daemon = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--state", server_.state().string()});
    Process process("deconvoyd", arguments, {.environment = {}, .folder = folder_.path(), .label = "daemon"});
    return process.Wait(std::chrono::seconds(60)).value_or(Exit{}).code;
  };
  ASSERT_EQ(daemon({"--init", "--token-file", File("admin.token")}), 0);
  ASSERT_NO_FATAL_FAILURE(Start({"--tokens", "required", "--audit-file", File("audit.log")}));
  const auto as = [&](const std::string& who, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--token-file", File(who + ".token")});
    return server_.Cli(arguments);
  };
  for (const auto& [name, files] : {std::pair{"ada", "data,out"}, std::pair{"bob", "bobs"}}) {
    ASSERT_EQ(as("admin", {"admin", "user", "add", name, "--files", files}).exit.code, 0);
    ASSERT_EQ(as("admin", {"admin", "token", "new", name, "-o", File(std::string(name) + ".token")}).exit.code, 0);
  }
  EXPECT_THAT(as("ada", {"volumes", "roots"}).out, Not(HasSubstr("bobs")));
  EXPECT_THAT(as("bob", {"volumes", "roots"}).out, Not(HasSubstr("data")));
  const CliResult imported = as("ada", {"volumes", "import", "data/raw.ome.tif", "--quiet"});
  ASSERT_EQ(imported.exit.code, 0) << imported.err;
  const std::string volume = imported.out.substr(0, imported.out.find('\n'));
  const CliResult other = as("bob", {"volumes", "import", "data/raw.ome.tif"});
  EXPECT_EQ(other.exit.code, kInvalid) << other.err;
  EXPECT_THAT(other.err, HasSubstr("no root"));
  EXPECT_NE(as("bob", {"volumes", "export", volume, "bobs/x.tif"}).exit.code, 0) << "it is not his volume";
  EXPECT_NE(as("ada", {"volumes", "export", volume, "bobs/x.tif"}).exit.code, 0) << "it is not her folder";
  EXPECT_EQ(FilesIn("bobs"), 0U);
  EXPECT_EQ(as("ada", {"volumes", "export", volume, "out/x.tif"}).exit.code, 0);
  ASSERT_EQ(as("admin", {"admin", "user", "set", "ada", "--files", ""}).exit.code, 0);
  EXPECT_NE(as("ada", {"volumes", "export", volume, "out/y.tif"}).exit.code, 0) << "that was taken back";
  EXPECT_EQ(as("admin", {"volumes", "import", "data/raw.ome.tif"}).exit.code, 0) << "administrators may use all";
  std::ifstream audit(File("audit.log"));
  const std::string lines{std::istreambuf_iterator<char>(audit), {}};
  EXPECT_THAT(lines, HasSubstr("data/raw.ome.tif"));
}

}  // namespace
}  // namespace deconvoy::testing
