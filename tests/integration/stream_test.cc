// Deconvolving while planes are recorded, with the real programs.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tiffio.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
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

constexpr int kPlanes = 48, kRows = 48, kColumns = 40;
const std::vector<std::string> kWork = {"--background", "5", "--iterations", "8", "--bad-pixels", "off"};
const std::vector<std::string> kVoxels = {"--voxel-um", "0.2,0.1,0.1"};  // what a source of planes alone does not tell

// Between planes.
void Pause() {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Simulate(folder_.path(), fmt::format("{},{},{}", kPlanes, kRows, kColumns), 61);
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

  // All planes one after the other.
  void FillTheFolder() const {
    for (int z = 0; z < kPlanes; ++z) {
      Deliver(z);
      Pause();
    }
  }

  // Plane `z` as a camera gives it.
  std::vector<uint16_t> Counts(int z) const {
    const auto plane = static_cast<std::ptrdiff_t>(kRows * kColumns);
    return {raw_.voxels.begin() + z * plane, raw_.voxels.begin() + (z + 1) * plane};
  }

  // Appends one plane after the other.
  void GrowTiff(const fs::path& path) const {
    const std::unique_ptr<TIFF, decltype(&TIFFClose)> file(TIFFOpen(path.c_str(), "w"), &TIFFClose);
    ASSERT_NE(file, nullptr);
    for (int z = 0; z < kPlanes; ++z) {
      std::vector<uint16_t> plane = Counts(z);
      const auto bytes = static_cast<tmsize_t>(plane.size() * sizeof(uint16_t));
      TIFFSetField(file.get(), TIFFTAG_IMAGEWIDTH, kColumns);
      TIFFSetField(file.get(), TIFFTAG_IMAGELENGTH, kRows);
      TIFFSetField(file.get(), TIFFTAG_BITSPERSAMPLE, 16);
      TIFFSetField(file.get(), TIFFTAG_SAMPLESPERPIXEL, 1);
      TIFFSetField(file.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
      TIFFSetField(file.get(), TIFFTAG_ROWSPERSTRIP, kRows);
      ASSERT_EQ(TIFFWriteEncodedStrip(file.get(), 0, plane.data(), bytes), bytes);
      ASSERT_EQ(TIFFWriteDirectory(file.get()), 1);
      Pause();
    }
  }

  // Sends all planes through a FIFO, in pieces that end somewhere.
  void Pipe(const fs::path& fifo) const {
    // A reader that ends early is for its exit code to tell.
    sigset_t broken;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, nullptr);
    std::string bytes;
    for (int z = 0; z < kPlanes; ++z) {
      const std::vector<uint16_t> plane = Counts(z);
      bytes.append(reinterpret_cast<const char*>(plane.data()), plane.size() * sizeof(uint16_t));
    }
    constexpr size_t kPiece = 5000;
    std::ofstream out(fifo, std::ios::binary);
    for (size_t at = 0; at < bytes.size() && out; at += kPiece) {
      out << bytes.substr(at, kPiece) << std::flush;
      Pause();
    }
  }

  // A new recording from `source`.
  std::vector<std::string> Record(const std::string& source, const std::vector<std::string>& more) const {
    const std::vector<std::string> command = {"stream",      source,  "-o",
                                              out_.string(), "--psf", (folder_.path() / "psf.ome.tif").string()};
    return With(With(command, kWork), more);
  }
  std::vector<std::string> RecordFolder(const std::vector<std::string>& more = {}) const {
    return With(Record(in_.string(), {"--settle", "0.3", "--shape", fmt::format("1,1,{}", kPlanes)}), more);
  }

  // The result is that of `deconvoy run` with `more`.
  void ExpectTheResultOfTheWhole(const std::vector<std::string>& more = {}) const {
    const auto streamed = LoadImage(out_);
    ASSERT_OK(streamed);
    const Image whole = Deconvolve(folder_.path() / "raw.ome.tif", folder_.path() / "psf.ome.tif",
                                   folder_.path() / "whole.ome.tif", With(kWork, more));
    ASSERT_EQ(streamed->shape(), whole.shape());
    EXPECT_LE(NrmseOfRange(streamed->voxels, whole.voxels), 1e-3);
  }

  TemporaryFolder folder_;
  const fs::path in_ = folder_.path() / "in", made_ = folder_.path() / "made", out_ = folder_.path() / "out.ome.tif";
  Image raw_;
  ServerProcess server_{folder_.path() / "server"};
};

TEST_F(StreamTest, AFolderThatIsFilledGivesTheResultOfTheWhole) {
  std::thread microscope([this] { FillTheFolder(); });
  const CliResult result = server_.Cli(RecordFolder());
  microscope.join();
  ASSERT_EQ(result.exit.code, 0) << result.err;
  ExpectTheResultOfTheWhole();
}

TEST_F(StreamTest, ARegionIsComputedAlone) {
  const std::vector<std::string> region = {"--region", "4:44,10:40,:"};
  std::thread microscope([this] { FillTheFolder(); });
  const CliResult result = server_.Cli(RecordFolder(region));
  microscope.join();
  ASSERT_EQ(result.exit.code, 0) << result.err;
  ExpectTheResultOfTheWhole(region);
}

TEST_F(StreamTest, ATiffThatGrowsGivesTheResultOfTheWhole) {
  const fs::path grows = folder_.path() / "grows.tif";
  std::thread microscope([&] { GrowTiff(grows); });
  const CliResult result =
      server_.Cli(With(Record(grows.string(), {"--settle", "1", "--shape", fmt::format("1,1,{}", kPlanes)}), kVoxels));
  microscope.join();
  ASSERT_EQ(result.exit.code, 0) << result.err;
  ExpectTheResultOfTheWhole();
}

TEST_F(StreamTest, PlanesOnStandardInputGiveTheResultOfTheWhole) {
  const fs::path fifo = folder_.path() / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string shape = fmt::format("1,1,{},{},{}", kPlanes, kRows, kColumns);
  std::thread microscope([&] { Pipe(fifo); });
  Process command("deconvoy",
                  With(Record("-", {"--shape", shape, "--plane-dtype", "u16", "--server", server_.address()}), kVoxels),
                  {.environment = {{"XDG_CONFIG_HOME", (folder_.path() / "no-config").string()}},
                   .folder = folder_.path(),
                   .label = "stream",
                   .input = fifo});
  const auto exit = command.Wait(std::chrono::seconds(240));
  command.Kill();
  microscope.join();
  ASSERT_TRUE(exit && exit->code == 0) << command.Errors();
  ExpectTheResultOfTheWhole();
}

TEST_F(StreamTest, ARecordingGoesOnAfterTheCommandHasEndedAndTheServerWasKilled) {
  for (int z = 0; z < kPlanes / 2; ++z) Deliver(z);
  const CliResult first = server_.Cli(RecordFolder({"--idle-timeout", "1"}));
  ASSERT_EQ(first.exit.code, 3) << first.err;
  const std::string mark = "--session ";
  const size_t at = first.err.find(mark);
  ASSERT_NE(at, std::string::npos) << first.err;
  server_.Kill();
  ASSERT_TRUE(server_.Start());
  for (int z = kPlanes / 2; z < kPlanes; ++z) Deliver(z);
  const CliResult second = server_.Cli({"stream", in_.string(), "-o", out_.string(), "--settle", "0.3", "--session",
                                        first.err.substr(at + mark.size(), 32)});
  ASSERT_EQ(second.exit.code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr(fmt::format("{} of {} planes are on the server", kPlanes / 2, kPlanes)));
  ExpectTheResultOfTheWhole();
}

TEST_F(StreamTest, ASessionWhoseJobHasEndedMeanwhileGivesItsResult) {
  for (int z = 0; z < kPlanes / 2; ++z) Deliver(z);
  const CliResult first = server_.Cli(RecordFolder({"--idle-timeout", "1"}));
  ASSERT_EQ(first.exit.code, 3) << first.err;
  const std::string mark = "--session ";
  const std::string session = first.err.substr(first.err.find(mark) + mark.size(), 32);
  const std::filesystem::path sessions = folder_.path() / "home/deconvoy/sessions", kept = folder_.path() / "kept";
  std::filesystem::copy(sessions, kept);
  for (int z = kPlanes / 2; z < kPlanes; ++z) Deliver(z);
  const std::vector<std::string> resume = {"stream",   in_.string(), "-o",        out_.string(),
                                           "--settle", "0.3",        "--session", session};
  ASSERT_EQ(server_.Cli(resume).exit.code, 0);
  // As if that command had never come to its end.
  std::filesystem::remove(out_);
  std::filesystem::copy(kept, sessions,
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  const CliResult again = server_.Cli(resume);
  ASSERT_EQ(again.exit.code, 0) << again.err;
  ExpectTheResultOfTheWhole();
}

}  // namespace
}  // namespace deconvoy::testing
