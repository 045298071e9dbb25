// A disk that runs full, as the spool and as the place of the result: a clear refusal, a service that lives on.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "client/cpp/acquisition_stream.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/store/store.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

// A small disk mounted for one test.
class SmallDisk {
 public:
  SmallDisk(const fs::path& at, const std::string& size) : at_(at) {
    fs::create_directories(at_);
    mounted_ = mount("none", at_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  const fs::path at_;
  bool mounted_ = false;
};

#define SKIP_UNLESS_MOUNTED(disk) \
  if (!(disk).mounted()) GTEST_SKIP() << "SKIPPED: a small disk cannot be mounted here: " << std::strerror(errno)

// Of small disks: what the database and its log need for a job or two.
const std::vector<std::string> kForTheDatabase = {"--keep-free-bytes", "800000"};

// 16x128x128 in 16 bit is 512 KiB.
void MakeInputs(const fs::path& folder) {
  std::vector<double> voxels(16 * 128 * 128, 50);
  voxels[777] = 900;
  ASSERT_OK(SaveImage(folder / "raw.tif", MakeSpec({1, 1, 16, 128, 128}, v1::U16), voxels));
  ASSERT_OK(SaveImage(folder / "psf.tif", MakeSpec({1, 1, 5, 7, 7}, v1::F32), GaussianPsf({5, 7, 7}, 1, 1.5, 1.5)));
}

std::vector<std::string> Arguments(const fs::path& folder, const fs::path& output) {
  return {"run",          (folder / "raw.tif").string(),
          "--psf",        (folder / "psf.tif").string(),
          "--iterations", "2",
          "--background", "0",
          "-o",           output.string()};
}

TEST(DiskFullTest, NoRoomForTheResultFile) {
  TemporaryFolder folder;
  SmallDisk disk(folder.path() / "disk", "300k");
  SKIP_UNLESS_MOUNTED(disk);
  MakeInputs(folder.path());
  std::vector<std::string> arguments = Arguments(folder.path(), folder.path() / "disk" / "out.tif");
  arguments.push_back("--local");
  const CliResult result = RunCli(arguments, folder.path());
  EXPECT_EQ(result.exit.code, 7) << result.err;
  EXPECT_NE(result.err.find("disk"), std::string::npos) << result.err;
  EXPECT_TRUE(fs::is_empty(folder.path() / "disk")) << "something half-written stays behind";
}

TEST(DiskFullTest, NoRoomInTheSpoolIsRefusedAndTheServiceLivesOn) {
  TemporaryFolder folder;
  SmallDisk disk(folder.path() / "state", "5m");
  SKIP_UNLESS_MOUNTED(disk);
  MakeInputs(folder.path());
  ServerProcess server(folder.path(), 1);
  ASSERT_TRUE(server.Start({}, kForTheDatabase)) << server.Log();
  // Room for the input (512 KiB), none for the result (1 MiB) beside what fills the disk.
  const fs::path ballast = folder.path() / "state" / "ballast";
  std::ofstream(ballast) << std::string(3200 * 1024, 'x');
  const CliResult refused = server.Cli(Arguments(folder.path(), folder.path() / "out.tif"));
  EXPECT_EQ(refused.exit.code, 7) << refused.err;
  EXPECT_NE(refused.err.find("spool"), std::string::npos) << "does not say where: " << refused.err;
  EXPECT_FALSE(fs::exists(folder.path() / "out.tif"));
  ASSERT_TRUE(server.process().Running()) << server.Log();
  fs::remove(ballast);
  const CliResult accepted = server.Cli(Arguments(folder.path(), folder.path() / "out.tif"));
  EXPECT_EQ(accepted.exit.code, 0) << accepted.err << server.Log();
}

TEST(DiskFullTest, AnAcceptedJobWaitsForRoomAndGoesOn) {
  TemporaryFolder folder;
  SmallDisk disk(folder.path() / "state", "8m");
  SKIP_UNLESS_MOUNTED(disk);
  MakeInputs(folder.path());
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start({}, {"--keep-free-bytes", "1000000"})) << server.Log();
  auto first = server.StartWorker("first");
  const CliResult calm = server.Cli(Arguments(folder.path(), folder.path() / "calm.tif"));
  ASSERT_EQ(calm.exit.code, 0) << calm.err << server.Log();
  first.reset();

  std::vector<std::string> arguments = Arguments(folder.path(), "");
  arguments.resize(arguments.size() - 2);
  arguments.front() = "submit";
  arguments.emplace_back("--json");
  const CliResult submitted = server.Cli(arguments);
  ASSERT_EQ(submitted.exit.code, 0) << submitted.err;
  const std::string job = LastJson(submitted.out)["job"].value("name", "");
  // Leaves room for the database, and half of what the scratch file of the only tile (1 MiB) needs.
  const fs::path ballast = folder.path() / "state" / "ballast";
  const uintmax_t left = 1000000 + 512 * 1024;
  const uintmax_t available = fs::space(folder.path() / "state").available;
  ASSERT_GT(available, left);
  std::ofstream(ballast) << std::string(available - left, 'x');
  const auto second = server.StartWorker("second");
  const auto shown = [&] { return server.Cli({"job", job, "--json"}).out; };
  EXPECT_TRUE(Eventually([&] { return shown().find("waiting for room in the spool: 1048576") != std::string::npos; }))
      << shown() << server.Log();

  fs::remove(ballast);
  const CliResult watched = server.Cli({"watch", job});
  ASSERT_EQ(watched.exit.code, 0) << watched.err << server.Log();
  const CliResult fetched = server.Cli({"fetch", job, "-o", (folder.path() / "out.tif").string()});
  ASSERT_EQ(fetched.exit.code, 0) << fetched.err;
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(folder.path() / "calm.tif"));
  ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(folder.path() / "out.tif"));
  EXPECT_TRUE(result.voxels == expected.voxels) << RelativeL2(result.voxels, expected.voxels);
}

TEST(DiskFullTest, AnExportWaitsForRoomOnTheDiskOfItsFile) {
  TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  SmallDisk disk(out, "900k");
  SKIP_UNLESS_MOUNTED(disk);
  MakeInputs(folder.path());
  ServerProcess server(folder.path(), 1);
  fs::create_directories(folder.path() / "data");
  fs::rename(folder.path() / "raw.tif", folder.path() / "data" / "raw.tif");
  ASSERT_TRUE(server.Start({}, {"--files-read-only", "data=" + (folder.path() / "data").string(), "--files-read-write",
                                "out=" + out.string()}))
      << server.Log();
  const CliResult imported = server.Cli({"volumes", "import", "data/raw.tif", "--quiet"});
  ASSERT_EQ(imported.exit.code, 0) << imported.err;
  const std::string volume = imported.out.substr(0, imported.out.find('\n'));
  const fs::path ballast = out / "ballast";
  std::ofstream(ballast) << std::string(fs::space(out).available - 8192, 'x');

  CliResult exported;
  std::thread waiting([&] { exported = server.Cli({"volumes", "export", volume, "out/raw.tif"}); });
  const auto shown = [&] { return server.Cli({"jobs", "--json"}).out; };
  EXPECT_TRUE(Eventually([&] {
    return shown().find("waiting for room on the disk of out/raw.tif") != std::string::npos;
  })) << shown()
      << server.Log();
  EXPECT_EQ(std::distance(fs::directory_iterator(out), fs::directory_iterator()), 1) << "something is left beside";
  fs::remove(ballast);
  waiting.join();
  ASSERT_EQ(exported.exit.code, 0) << exported.err << server.Log();
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(folder.path() / "data" / "raw.tif"));
  ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(out / "raw.tif"));
  EXPECT_TRUE(result.voxels == expected.voxels);
}

// The spool has room for the planes, the database has none for what is to be remembered of each of them.
class RecordingTest : public ::testing::Test {
 protected:
  // The records of so many boxes are more than the database's file and its log hold without growing.
  static constexpr Shape5 kShape{8, 1, 4096, 8, 8};
  static constexpr int64_t kPlanes = 8 * 4096, kPlaneBytes = 64;

  RecordingTest() {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>((i * 2654435761U) >> 24);
  }

  static absl::StatusOr<v1::JobSpec> Job(const client::Client& client) {
    const std::vector<double> psf = GaussianPsf({5, 7, 7}, 1, 1.5, 1.5);
    const std::vector<float> voxels(psf.begin(), psf.end());
    const auto read = [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
      std::memcpy(plane.data(), voxels.data() + static_cast<size_t>(z) * 49, plane.size());
      return absl::OkStatus();
    };
    v1::JobSpec job;
    ASSIGN_OR_RETURN(*job.mutable_deconvolve()->mutable_psf_volume(),
                     client.Upload(MakeSpec({1, 1, 5, 7, 7}, v1::F32), read));
    job.mutable_deconvolve()->set_method("rl");
    job.mutable_deconvolve()->set_output_type(v1::U8);
    return job;
  }

  absl::Status PushAll(client::AcquisitionStream& stream) const {
    for (int64_t plane = 0; plane < kPlanes; ++plane) {
      const auto pixels = std::span(bytes_).subspan(static_cast<size_t>(plane * kPlaneBytes), kPlaneBytes);
      RETURN_IF_ERROR(stream.Push(plane / kShape.z, 0, plane % kShape.z, pixels));
    }
    return absl::OkStatus();
  }

  // The outage that the stream has told of since it was last asked; OK where there was none.
  static absl::Status Refusal(client::AcquisitionStream& stream) {
    for (;;) {
      const auto event = stream.Poll(absl::ZeroDuration());
      if (!event.ok()) return event.status();
      if (!event->has_value()) return absl::OkStatus();
      const auto* outage = std::get_if<client::Outage>(&**event);
      if (outage != nullptr && !outage->over) return outage->error;
    }
  }

  // All of a volume, once it is complete.
  static absl::StatusOr<std::vector<std::byte>> Read(const client::Client& client, const std::string& volume) {
    std::vector<std::byte> bytes(kPlanes * kPlaneBytes);
    RETURN_IF_ERROR(client.Follow(volume, [&](const FrameBox& box, std::span<const std::byte> voxels) {
      return ForEachRun(kShape, v1::U8, box, [&](const ByteRun& run) {
        std::memcpy(bytes.data() + run.volume_offset, voxels.data() + run.box_offset, static_cast<size_t>(run.bytes));
        return absl::OkStatus();
      });
    }));
    return bytes;
  }

  std::vector<std::byte> bytes_{static_cast<size_t>(kPlanes * kPlaneBytes)};
};

TEST_F(RecordingTest, HearsThatTheStoresDiskIsFullAndGoesOnOnceThereIsRoom) {
  TemporaryFolder folder;
  const fs::path state = folder.path() / "state";
  SmallDisk disk(state, "12m");
  SKIP_UNLESS_MOUNTED(disk);
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start({}, kForTheDatabase)) << server.Log();
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server.address()));
  ASSERT_OK_AND_ASSIGN(const v1::JobSpec job, Job(client));
  client::AcquisitionOptions options;
  options.retry.longest = absl::Seconds(1);
  ASSERT_OK_AND_ASSIGN(const auto stream,
                       client::AcquisitionStream::Open(client, MakeSpec(kShape, v1::U8), job, options));

  const fs::path ballast = state / "ballast";
  std::ofstream(ballast) << std::string(12 << 20, 'x');
  ASSERT_EQ(fs::space(state).available, 0U);
  ASSERT_OK(PushAll(*stream));
  absl::Status refusal;
  ASSERT_TRUE(Eventually([&] { return !(refusal = Refusal(*stream)).ok(); }))
      << stream->counts().planes_durable << " planes are durable: " << server.Log();
  EXPECT_EQ(ReasonOf(refusal), v1::DISK_FULL) << refusal;
  EXPECT_TRUE(InfoOf(refusal).metadata().at("path").starts_with(state.string())) << refusal;
  EXPECT_LT(stream->counts().planes_durable, kPlanes);
  EXPECT_TRUE(server.process().Running()) << server.Log();

  fs::remove(ballast);
  EXPECT_TRUE(Eventually([&] { return stream->counts().planes_durable == kPlanes; }, std::chrono::seconds(60)))
      << stream->counts().planes_durable << " planes are durable: " << server.Log();
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const std::vector<std::byte> kept, Read(client, stream->opened().input().name()));
  EXPECT_TRUE(kept == bytes_);
}

TEST(DiskFullTest, AServerThatHasNoRoomToStartSaysSoAndLosesNothing) {
  TemporaryFolder folder;
  SmallDisk disk(folder.path() / "state", "5m");
  SKIP_UNLESS_MOUNTED(disk);
  MakeInputs(folder.path());
  ServerProcess server(folder.path(), 1);
  ASSERT_TRUE(server.Start({}, kForTheDatabase)) << server.Log();
  const CliResult kept = server.Cli(With(Arguments(folder.path(), folder.path() / "out.tif"), {"--keep"}));
  ASSERT_EQ(kept.exit.code, 0) << kept.err;
  ASSERT_TRUE(server.Stop().has_value());
  const fs::path ballast = folder.path() / "state" / "ballast";
  std::ofstream(ballast) << std::string(5 << 20, 'x');
  EXPECT_FALSE(server.Start({}, kForTheDatabase));
  EXPECT_EQ(server.process().Wait(std::chrono::seconds(20)).value_or(Exit{}).code, 3);
  EXPECT_NE(server.Log().find("disk is full"), std::string::npos) << server.Log();
  EXPECT_NE(server.Log().find("ree space"), std::string::npos) << "what to do: " << server.Log();
  fs::remove(ballast);
  ASSERT_TRUE(server.Start({}, kForTheDatabase)) << server.Log();
  EXPECT_NE(server.Cli({"jobs", "--all"}).out.find("succeeded"), std::string::npos);
}

TEST(DiskFullTest, AStoreOnAFullDiskLivesOnTheRoomOfItsLog) {
  TemporaryFolder folder;
  SmallDisk disk(folder.path() / "state", "1m");
  SKIP_UNLESS_MOUNTED(disk);
  ASSERT_OK_AND_ASSIGN(const auto store, server::Store::Open(folder.path() / "state" / "deconvoy.sqlite"));
  server::VolumeRecord volume{.id = "0123456789abcdefghijklmnop", .owner = "local"};
  *volume.spec.mutable_shape() = MakeSpec({1, 1, 512, 8, 8}, v1::U8).shape();
  ASSERT_OK(store->InsertVolume(volume, "", ""));
  const uintmax_t log = 64 * 1024;  // and no more
  std::ofstream(folder.path() / "state" / "ballast")
      << std::string(fs::space(folder.path() / "state").available - log, 'x');
  for (int64_t z = 0; z < 256; ++z) {
    const server::CommittedBox plane{.box = {.t = 0, .c = 0, .box = {.origin = {z, 0, 0}, .shape = {1, 8, 8}}}};
    ASSERT_OK(store->CommitBoxes(volume.id, {plane}));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<server::CommittedBox> kept, store->GetBoxes(volume.id, 0, 0));
  EXPECT_EQ(kept.size(), 256U);
}

}  // namespace
}  // namespace deconvoy::testing
