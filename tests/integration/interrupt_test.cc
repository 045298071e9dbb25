// Ctrl-C and `kill -9` during a run: nothing stays behind.
#include <gtest/gtest.h>
#include <signal.h>

#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// A job that would take minutes, in a scratch folder of its own so that leftovers can be seen.
class InterruptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(scratch());
    std::vector<double> voxels(24 * 96 * 96, 100);
    voxels[1234] = 5000;
    ASSERT_OK(SaveImage(folder_.path() / "raw.tif", MakeSpec({1, 1, 24, 96, 96}, v1::U16), voxels));
    ASSERT_OK(
        SaveImage(folder_.path() / "psf.tif", MakeSpec({1, 1, 7, 9, 9}, v1::F32), GaussianPsf({7, 9, 9}, 1.5, 2, 2)));
  }

  fs::path scratch() const { return folder_.path() / "scratch"; }
  fs::path output() const { return folder_.path() / "out.tif"; }

  std::vector<std::string> Arguments() const {
    return {"run",          (folder_.path() / "raw.tif").string(),
            "--psf",        (folder_.path() / "psf.tif").string(),
            "--iterations", "10000",
            "--background", "0",
            "-o",           output().string()};
  }

  // `deconvoy run --local`, computing.
  std::unique_ptr<Process> StartLocal() {
    std::vector<std::string> arguments = Arguments();
    arguments.insert(arguments.end(), {"--local", "--json"});
    auto client = std::make_unique<Process>(
        "deconvoy", arguments, Process::Options{{{"DECONVOY_SCRATCH", scratch().string()}}, folder_.path(), "run"});
    EXPECT_TRUE(Eventually([&] { return client->Output().find("\"iteration\":") != std::string::npos; }))
        << client->Output() << client->Errors();
    return client;
  }

  void ExpectNothingLeft() {
    EXPECT_TRUE(Eventually([&] { return fs::is_empty(scratch()); }, std::chrono::seconds(15)))
        << fs::directory_iterator(scratch())->path();
    EXPECT_TRUE(Eventually([&] { return ProcessesNaming(scratch().string()).empty(); }, std::chrono::seconds(15)));
    EXPECT_EQ(OutputFiles(), std::vector<std::string>{});
  }

  // The output, whole or in part.
  std::vector<std::string> OutputFiles() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename();
      if (name.find("out.tif") != std::string::npos) names.push_back(name);
    }
    return names;
  }

  TemporaryFolder folder_;
};

TEST_F(InterruptTest, FirstCtrlCCancelsAndCleansUp) {
  auto client = StartLocal();
  client->Signal(SIGINT);
  const auto exit = client->Wait(std::chrono::seconds(20));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 6) << client->Errors();
  ExpectNothingLeft();
}

// With a server that stands still the first Ctrl-C has nobody to tell.
TEST_F(InterruptTest, SecondCtrlCLeavesAtOnce) {
  auto client = StartLocal();
  const std::vector<pid_t> service = ProcessesNaming(scratch().string());
  ASSERT_FALSE(service.empty());
  for (const pid_t pid : service) kill(pid, SIGSTOP);
  client->Signal(SIGINT);
  EXPECT_TRUE(Eventually([&] { return client->Output().find("cancelling") != std::string::npos; })) << client->Errors();
  EXPECT_TRUE(client->Running());
  client->Signal(SIGINT);
  const auto exit = client->Wait(std::chrono::seconds(5));
  for (const pid_t pid : service) kill(pid, SIGCONT);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 6) << client->Errors();
  ExpectNothingLeft();
}

TEST_F(InterruptTest, KilledRunLeavesNoProcessAndNoFolder) {
  auto client = StartLocal();
  ASSERT_FALSE(ProcessesNaming(scratch().string()).empty());
  client->Kill();
  ExpectNothingLeft();
}

// Whether a folder of the spool holds no file.
bool EmptyInSpool(const ServerProcess& server, const std::string& name) {
  return fs::is_empty(server.state() / "spool" / name);
}

TEST_F(InterruptTest, CtrlCAgainstAServerCancelsTheJobAndLeavesNothingThere) {
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto interrupted = [&](const std::string& label, const std::vector<std::string>& more) {
    Process client("deconvoy", With(With(Arguments(), {"--json", "--server", server.address()}), more),
                   {{}, folder_.path(), label});
    EXPECT_TRUE(Eventually([&] { return client.Output().find("\"iteration\":") != std::string::npos; }))
        << client.Errors();
    EXPECT_FALSE(EmptyInSpool(server, "volumes")) << "this test looks at the wrong folder";
    client.Signal(SIGINT);
    EXPECT_EQ(client.Wait(std::chrono::seconds(20)).value_or(Exit{}).code, 6) << client.Errors();
    EXPECT_TRUE(Eventually([&] { return EmptyInSpool(server, "scratch"); })) << "the task's output stays";
    EXPECT_TRUE(Eventually([&] {
      return server.Cli({"workers", "--json"}).out.find("IDLE") != std::string::npos;
    })) << "the worker goes on with a cancelled job";
    EXPECT_FALSE(fs::exists(output()));
  };
  interrupted("run", {});
  EXPECT_TRUE(EmptyInSpool(server, "volumes")) << "a volume of the cancelled job stays";
  EXPECT_EQ(server.Cli({"jobs", "--all", "--json"}).out.find("jobs/"), std::string::npos);
  interrupted("keep", {"--keep"});
  EXPECT_EQ(LastJson(server.Cli({"jobs", "--all", "--json"}).out).value("state", ""), "CANCELLED");
}

// A blank stack, which takes a while to transfer and no time to compute, in a small file.
absl::Status WriteBlank(const fs::path& path) {
  constexpr int64_t kPlanes = 128, kSide = 1024;  // 16 bit: 256 MiB
  ASSIGN_OR_RETURN(const auto writer, imageio::CreateImage(path, MakeSpec({1, 1, kPlanes, kSide, kSide}, v1::U16),
                                                           {.compression = imageio::Compression::kZstd}));
  const std::vector<std::byte> plane(static_cast<size_t>(kSide * kSide * 2));
  for (int64_t z = 0; z < kPlanes; ++z) RETURN_IF_ERROR(writer->WritePlane(plane));
  return writer->Finish();
}

// The client stands still from when it is seen in a phase until its Ctrl-C, so that the phase cannot end before.
TEST_F(InterruptTest, CtrlCDuringATransferLeavesNothingAnywhere) {
  ASSERT_OK(WriteBlank(folder_.path() / "raw.tif"));
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto interrupted = [&](const std::string& label, const std::string& phase, const auto& in_the_middle) {
    SCOPED_TRACE(phase);
    Process client("deconvoy", With(Arguments(), {"--json", "--server", server.address()}),
                   {{}, folder_.path(), label});
    EXPECT_TRUE(Eventually([&] { return client.Output().find("\"phase\":\"" + phase) != std::string::npos; }))
        << client.Output() << client.Errors();
    client.Signal(SIGSTOP);
    const fs::path status = fs::path("/proc") / std::to_string(client.pid()) / "status";
    EXPECT_TRUE(Eventually([&] { return ReadText(status).find("State:\tT") != std::string::npos; }));
    EXPECT_TRUE(in_the_middle()) << "over before Ctrl-C: " << client.Output();
    client.Signal(SIGINT);
    client.Signal(SIGCONT);
    EXPECT_EQ(client.Wait(std::chrono::seconds(60)).value_or(Exit{}).code, 6) << client.Errors();
    EXPECT_TRUE(Eventually([&] { return EmptyInSpool(server, "volumes"); })) << "a volume stays";
    EXPECT_TRUE(Eventually([&] { return EmptyInSpool(server, "scratch"); })) << "a task's output stays";
    EXPECT_NE(server.Cli({"volumes"}).out.find("no volumes"), std::string::npos);
    EXPECT_NE(server.Cli({"jobs", "--all"}).out.find("no jobs"), std::string::npos);
    EXPECT_EQ(OutputFiles(), std::vector<std::string>{});
  };
  interrupted("upload", "upload raw", [&] {
    return server.Cli({"volumes", "--json"}).out.find("\"WRITING\"") != std::string::npos;
  });
  interrupted("download", "download out", [&] { return !fs::exists(output()); });
}

}  // namespace
}  // namespace deconvoy::testing
