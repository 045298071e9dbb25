// Gigabytes through a server, by the library and by the command line: no side holds more than a few planes and chunks,
// and a line that is cut costs little.
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>

#include "client/cpp/client.h"
#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"
#include "tests/integration/support/flaky_proxy.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr int64_t kPlanes = 512, kRows = 2048, kColumns = 2048;  // 16 bit: 4 GiB

// A plane whose every voxel depends on its place.
void FillPlane(int64_t z, std::span<std::byte> plane) {
  uint64_t state = static_cast<uint64_t>(z) * 0x9E3779B97F4A7C15ULL + 1;
  for (size_t i = 0; i + 8 <= plane.size(); i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(plane.data() + i, &state, 8);
  }
}

class BigVolumeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Sanitized()) GTEST_SKIP() << "SKIPPED: with sanitizers, memory is not that of the programs";
    struct statvfs disk;
    ASSERT_EQ(statvfs(folder_.path().c_str(), &disk), 0);
    if (disk.f_bavail * disk.f_frsize < (uint64_t{10} << 30)) GTEST_SKIP() << "SKIPPED: needs 10 GiB of free disk";
  }

  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  // The highest share of memory that a side held, for the record and against its bound.
  void ExpectAtMost(const std::string& side, int64_t peak_bytes, int64_t most) {
    RecordProperty(side + "_peak_bytes", std::to_string(peak_bytes));
    std::printf("peak resident memory: %s %.1f MB\n", side.c_str(), static_cast<double>(peak_bytes) / 1e6);
    EXPECT_GT(peak_bytes, 0) << side << " was not measured";
    EXPECT_LT(peak_bytes, most) << side;
  }

  TemporaryFolder folder_;
};

constexpr int64_t kServerBytes = 150'000'000, kClientBytes = 300'000'000;

TEST_F(BigVolumeTest, FourGigabytesUpAndDownByTheLibrary) {
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server.address()));
  const v1::VolumeSpec spec = MakeSpec({1, 1, kPlanes, kRows, kColumns}, v1::U16);
  ASSERT_OK_AND_ASSIGN(const std::string volume,
                       client.Upload(spec, [](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
                         FillPlane(z, plane);
                         return absl::OkStatus();
                       }));
  std::vector<std::byte> expected(static_cast<size_t>(kRows * kColumns * 2));
  int64_t right = 0;
  ASSERT_OK(client.Download(volume, [&](int64_t, int64_t, int64_t z, std::span<const std::byte> plane) {
    FillPlane(z, expected);
    right += std::memcmp(plane.data(), expected.data(), plane.size()) == 0 ? 1 : 0;
    return absl::OkStatus();
  }));
  EXPECT_EQ(right, kPlanes);
  ExpectAtMost("server", PeakResidentBytes(server.process().pid()), kServerBytes);
  ExpectAtMost("library", PeakResidentBytes(getpid()), kClientBytes);
}

// Two gigabytes over a line that is cut at ten random places, then the same once more.
TEST_F(BigVolumeTest, TwoGigabytesCutTenTimesSendLittleTwice) {
  constexpr int64_t kMiB = 1 << 20, kVolume = 2048 * kMiB;
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  FlakyProxy proxy(folder_.path() / "s");
  std::mt19937_64 random(Seed());
  std::uniform_int_distribution<int64_t> place(kMiB, kVolume - 8 * kMiB);
  std::deque<int64_t> cuts(10);
  std::generate(cuts.begin(), cuts.end(), [&] { return place(random); });
  std::sort(cuts.begin(), cuts.end());
  proxy.CutAt(cuts);
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(proxy.address()));
  const v1::VolumeSpec spec = MakeSpec({1, 1, kPlanes / 2, kRows, kColumns}, v1::U16);
  const auto source = [](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    FillPlane(z, plane);
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const auto first, client.UploadOnce(spec, source));
  EXPECT_EQ(proxy.cuts(), 10);
  const int64_t sent = proxy.bytes(), framing = kVolume / 500;
  RecordProperty("bytes_sent_beyond_the_volume", std::to_string(sent - kVolume));
  std::printf("cut ten times: %.2f MiB sent beyond the volume\n", static_cast<double>(sent - kVolume) / kMiB);
  EXPECT_GE(sent, kVolume);
  EXPECT_LE(sent - kVolume - framing, 16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const auto second, client.UploadOnce(spec, source));
  EXPECT_TRUE(second.found);
  EXPECT_EQ(second.volume, first.volume);
  std::printf("sent once more: %lld bytes\n", static_cast<long long>(proxy.bytes() - sent));
  EXPECT_LE(proxy.bytes() - sent, 64 * 1024);
}

// Time points of one plane: their projection along z is the same 4 GiB, so that there is much to fetch without much to
// compute. A plane has few different voxels, so that the file given to the program is small.
constexpr int64_t kTimePoints = 128, kSide = 4096;

std::byte ShadeOf(int64_t t) {
  return static_cast<std::byte>(t + 1);
}

absl::Status WriteSeries(const std::string& path) {
  ASSIGN_OR_RETURN(const auto writer, imageio::CreateImage(path, MakeSpec({kTimePoints, 1, 1, kSide, kSide}, v1::U16),
                                                           {.compression = imageio::Compression::kZstd}));
  std::vector<std::byte> plane(static_cast<size_t>(kSide * kSide * 2));
  for (int64_t t = 0; t < kTimePoints; ++t) {
    std::fill(plane.begin(), plane.end(), ShadeOf(t));
    RETURN_IF_ERROR(writer->WritePlane(plane));
  }
  return writer->Finish();
}

// How many planes of the fetched series are as written.
absl::StatusOr<int64_t> RightPlanes(const std::string& path) {
  ASSIGN_OR_RETURN(const auto reader, imageio::OpenImage(path));
  std::vector<std::byte> plane(static_cast<size_t>(kSide * kSide * 2));
  int64_t right = 0;
  for (int64_t t = 0; t < reader->spec().shape().t(); ++t) {
    RETURN_IF_ERROR(reader->ReadPlane(t, 0, 0, plane));
    right += std::all_of(plane.begin(), plane.end(), [t](std::byte value) { return value == ShadeOf(t); }) ? 1 : 0;
  }
  return right;
}

// Submits the series with the program and cancels its job: the volume stays. Its name.
absl::StatusOr<std::string> UploadByProgram(const ServerProcess& server, const client::Client& client,
                                            const std::string& series, const std::string& psf, CliResult& submitted) {
  submitted = server.Cli({"submit", series, "--psf", psf, "--dtype", "u16", "--background", "0", "--json"});
  const auto answer = LastJson(submitted.out);
  if (submitted.exit.code != 0 || answer.is_discarded()) return absl::InternalError(submitted.err);
  const auto job = answer["job"];
  const auto name = job["name"].get<std::string>();
  RETURN_IF_ERROR(client.CancelJob(name).status());
  RETURN_IF_ERROR(client.Watch(name, 0).status());
  for (const auto& output : job["outputs"]) client.DeleteVolume(output["volume"].get<std::string>()).IgnoreError();
  return job["spec"]["deconvolve"]["input_volume"].get<std::string>();
}

TEST_F(BigVolumeTest, FourGigabytesUpAndDownByTheProgram) {
  ASSERT_OK(WriteSeries(file("series.ome.tif")));
  ASSERT_OK(SaveImage(file("psf.tif"), MakeSpec({1, 1, 1, 7, 7}, v1::F32), GaussianPsf({1, 7, 7}, 1, 1.5, 1.5)));
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server.address()));
  CliResult submitted;
  ASSERT_OK_AND_ASSIGN(const std::string volume,
                       UploadByProgram(server, client, file("series.ome.tif"), file("psf.tif"), submitted));
  v1::JobSpec spec;
  spec.mutable_project()->set_input_volume(volume);
  spec.mutable_project()->set_axis(v1::ProjectSpec::Z);
  ASSERT_OK_AND_ASSIGN(v1::Job job, client.Submit(spec));
  ASSERT_OK_AND_ASSIGN(job, client.Watch(job.name(), 0));
  ASSERT_EQ(job.state(), v1::SUCCEEDED) << job.error().message();
  ASSERT_OK(client.DeleteVolume(volume));
  const CliResult fetched = server.Cli({"fetch", job.name(), "-o", file("out.ome.tif")});
  ASSERT_EQ(fetched.exit.code, 0) << fetched.err;
  ASSERT_OK_AND_ASSIGN(const int64_t right, RightPlanes(file("out.ome.tif")));
  EXPECT_EQ(right, kTimePoints);
  ExpectAtMost("submit", submitted.exit.peak_resident_bytes, kClientBytes);
  ExpectAtMost("fetch", fetched.exit.peak_resident_bytes, kClientBytes);
  ExpectAtMost("server", PeakResidentBytes(server.process().pid()), kServerBytes);
}

}  // namespace
}  // namespace deconvoy::testing
