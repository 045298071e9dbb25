// Deconvolving while planes are recorded, with the real programs.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

constexpr int kPlanes = 48;
const std::vector<std::string> kWork = {"--background", "5", "--iterations", "8", "--bad-pixels", "off"};

class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Simulate(folder_.path(), fmt::format("{},48,40", kPlanes), 61);
    setenv("XDG_STATE_HOME", (folder_.path() / "home").c_str(), 1);
    fs::create_directory(folder_.path() / "server");
    fs::create_directory(in_);
    fs::create_directory(made_);
    const auto raw = LoadImage(folder_.path() / "raw.ome.tif");
    ASSERT_OK(raw);
    raw_ = *raw;
    ASSERT_TRUE(server_.Start());
  }
  void TearDown() override { unsetenv("XDG_STATE_HOME"); }

  // Makes plane `z`, and renames it into the folder.
  void Deliver(int z) const {
    v1::VolumeSpec spec = raw_.spec;
    spec.mutable_shape()->set_z(1);
    const auto plane = static_cast<std::ptrdiff_t>(raw_.shape().y * raw_.shape().x);
    const auto begin = raw_.voxels.begin() + z * plane;
    const std::string name = fmt::format("p{}.ome.tif", z);
    ASSERT_OK(SaveImage(made_ / name, spec, {begin, begin + plane}));
    fs::rename(made_ / name, in_ / name);
  }

  std::vector<std::string> Arguments(const std::string& more) const {
    std::vector<std::string> arguments = {"stream", in_.string(), "-o", out_.string(), "--settle", "0.3"};
    if (more.empty()) {
      arguments = With(arguments,
                       {"--shape", fmt::format("1,1,{}", kPlanes), "--psf", (folder_.path() / "psf.ome.tif").string()});
      return With(arguments, kWork);
    }
    return With(arguments, {"--session", more});
  }

  void ExpectTheResultOfTheWhole() const {
    const auto streamed = LoadImage(out_);
    ASSERT_OK(streamed);
    const Image whole = Deconvolve(folder_.path() / "raw.ome.tif", folder_.path() / "psf.ome.tif",
                                   folder_.path() / "whole.ome.tif", kWork);
    EXPECT_LE(NrmseOfRange(streamed->voxels, whole.voxels), 1e-3);
  }

  TemporaryFolder folder_;
  const fs::path in_ = folder_.path() / "in", made_ = folder_.path() / "made", out_ = folder_.path() / "out.ome.tif";
  Image raw_;
  ServerProcess server_{folder_.path() / "server"};
};

TEST_F(StreamTest, AFolderThatIsFilledGivesTheResultOfTheWhole) {
  std::thread microscope([this] {
    for (int z = 0; z < kPlanes; ++z) {
      Deliver(z);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const CliResult result = server_.Cli(Arguments(""));
  microscope.join();
  ASSERT_EQ(result.exit.code, 0) << result.err;
  ExpectTheResultOfTheWhole();
}

TEST_F(StreamTest, ARecordingGoesOnAfterTheCommandHasEndedAndTheServerWasKilled) {
  for (int z = 0; z < kPlanes / 2; ++z) Deliver(z);
  const CliResult first = server_.Cli(With(Arguments(""), {"--idle-timeout", "1"}));
  ASSERT_EQ(first.exit.code, 3) << first.err;
  const std::string mark = "--session ";
  const size_t at = first.err.find(mark);
  ASSERT_NE(at, std::string::npos) << first.err;
  server_.Kill();
  ASSERT_TRUE(server_.Start());
  for (int z = kPlanes / 2; z < kPlanes; ++z) Deliver(z);
  const CliResult second = server_.Cli(Arguments(first.err.substr(at + mark.size(), 32)));
  ASSERT_EQ(second.exit.code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr(fmt::format("{} of {} planes are on the server", kPlanes / 2, kPlanes)));
  ExpectTheResultOfTheWhole();
}

}  // namespace
}  // namespace deconvoy::testing
