// Volumes on a real server: uploads over a line that breaks, stacks that are there already, damage on the disk, quotas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "client/cpp/client.h"
#include "proto/contract/error.h"
#include "tests/integration/support/flaky_proxy.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kMiB = 1 << 20;
constexpr Shape5 kShape{1, 1, 64, 1024, 512};  // 64 MiB in planes of 1 MiB

absl::Status FillPlane(int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
  uint64_t state = static_cast<uint64_t>(z) + 1;
  for (std::byte& byte : plane) byte = static_cast<std::byte>((state = state * 6364136223846793005U + 1) >> 56);
  return absl::OkStatus();
}

class VolumesTest : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& more = {}) { ASSERT_TRUE(server_.Start({}, more)) << server_.Log(); }
  absl::StatusOr<client::Client> Connect() {
    client::ConnectOptions options;
    options.retry.initial = absl::Milliseconds(20);
    options.retry.longest = absl::Milliseconds(200);
    return client::Client::Connect(proxy_.address(), options);
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 0};
  FlakyProxy proxy_{folder_.path() / "s"};
};

TEST_F(VolumesTest, AnUploadThatIsCutTenTimesSendsLittleTwice) {
  Start();
  ASSERT_OK_AND_ASSIGN(const client::Client client, Connect());
  std::mt19937_64 random(Seed());
  std::uniform_int_distribution<int64_t> place(kMiB, 60 * kMiB);
  std::deque<int64_t> cuts(10);
  std::generate(cuts.begin(), cuts.end(), [&] { return place(random); });
  std::sort(cuts.begin(), cuts.end());
  proxy_.CutAt(cuts);
  ASSERT_OK_AND_ASSIGN(const std::string name, client.Upload(MakeSpec(kShape, v1::U16), FillPlane));
  EXPECT_EQ(proxy_.cuts(), 10);
  const int64_t volume = 64 * kMiB, framing = volume / 100;
  EXPECT_GE(proxy_.bytes(), volume);
  EXPECT_LE(proxy_.bytes() - volume - framing, 16 * kMiB);
  ASSERT_OK_AND_ASSIGN(const v1::Volume stored, client.GetVolume(name));
  EXPECT_EQ(stored.state(), v1::COMPLETE) << "with the digest of what was sent";
}

TEST_F(VolumesTest, ASecondUploadSendsOnlyItsDigest) {
  Start();
  ASSERT_OK_AND_ASSIGN(const client::Client client, Connect());
  const v1::VolumeSpec spec = MakeSpec(kShape, v1::U16);
  ASSERT_OK_AND_ASSIGN(const auto first, client.UploadOnce(spec, FillPlane));
  EXPECT_FALSE(first.found);
  const int64_t before = proxy_.bytes();
  ASSERT_OK_AND_ASSIGN(const auto second, client.UploadOnce(spec, FillPlane));
  EXPECT_TRUE(second.found);
  EXPECT_EQ(second.volume, first.volume);
  EXPECT_LE(proxy_.bytes() - before, 64 * 1024);
}

TEST_F(VolumesTest, PackedChunksArriveAsTheyWere) {
  Start();
  client::ConnectOptions options;
  options.compression = client::TransferCompression::kZstd;
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(proxy_.address(), options));
  const v1::VolumeSpec spec = MakeSpec({1, 1, 8, 1024, 512}, v1::U16);
  const auto calm = [](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    for (size_t i = 0; i < plane.size(); ++i) plane[i] = static_cast<std::byte>(i % 2 == 0 ? (i >> 10) + size_t(z) : 0);
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const std::string name, client.Upload(spec, calm));
  EXPECT_LE(proxy_.bytes(), 2 * kMiB) << "of 8 MiB";
  std::vector<std::byte> expected(kMiB);
  const auto compare = [&](int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane) {
    EXPECT_OK(calm(t, c, z, expected));
    EXPECT_TRUE(std::equal(plane.begin(), plane.end(), expected.begin())) << z;
    return absl::OkStatus();
  };
  ASSERT_OK(client.Download(name, compare));
}

TEST_F(VolumesTest, AUserWhoHasEnoughIsRefusedAndToldHowMuch) {
  Start({"--quota-bytes", "1000000"});
  ASSERT_OK_AND_ASSIGN(const client::Client client, Connect());
  const absl::Status refused = client.Upload(MakeSpec(kShape, v1::U16), FillPlane).status();
  EXPECT_EQ(ReasonOf(refused), v1::QUOTA_EXCEEDED);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("1000000 bytes"));
  EXPECT_OK(client.Upload(MakeSpec({1, 1, 1, 500, 1000}, v1::U16), FillPlane));
}

// A stack of 16 KiB, its result of 32 KiB and a PSF of less than 4 KiB.
TEST_F(VolumesTest, AStackOverTheQuotaIsRefusedBeforeItIsRead) {
  Simulate(folder_.path(), "8,32,32", 1);
  Start({"--quota-bytes", "40000"});
  const auto worker = server_.StartWorker("worker");
  const auto allow = [&](const std::string& verb, const std::string& bytes) {
    EXPECT_EQ(server_.Cli({"admin", "user", verb, "local", "--role", "admin", "--quota-bytes", bytes}).exit.code, 0);
  };
  const auto submit = [&] {
    return server_.Cli({"submit", (folder_.path() / "raw.ome.tif").string(), "--psf",
                        (folder_.path() / "psf.ome.tif").string(), "--iterations", "2", "--wait"});
  };
  const CliResult refused = submit();
  EXPECT_EQ(refused.exit.code, 7) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("40000 bytes of volumes"));
  EXPECT_THAT(refused.err, Not(HasSubstr("read raw")));
  EXPECT_THAT(refused.err, Not(HasSubstr("read psf")));
  EXPECT_THAT(server_.Cli({"volumes"}).out, HasSubstr("no volumes"));
  allow("add", "60000");
  EXPECT_EQ(submit().exit.code, 0);
  allow("set", "95000");
  const CliResult again = submit();
  EXPECT_EQ(again.exit.code, 0) << "the stack is there, and takes no more room: " << again.err;
}

// --- Damage, seen by workers that read the spool and by those that do not ---

class DamageTest : public ::testing::TestWithParam<bool> {
 protected:
  CliResult Submit() {
    return server_.Cli({"submit", (folder_.path() / "raw.ome.tif").string(), "--psf",
                        (folder_.path() / "psf.ome.tif").string(), "--iterations", "2", "--wait"});
  }
  // The file of the volume with this display name.
  std::filesystem::path FileOf(const std::string& display_name) {
    for (const std::string& line : Lines(server_.Cli({"volumes", "--json"}).out)) {
      const auto volume = nlohmann::json::parse(line, nullptr, false);
      if (volume.is_discarded() || volume["spec"]["display_name"] != display_name) continue;
      const std::string name = volume["name"];
      return server_.state() / "spool" / (name + ".raw");
    }
    return {};
  }
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 0};
};

TEST_P(DamageTest, OneFlippedByteIsFoundBeforeAWorkerUsesIt) {
  Simulate(folder_.path(), "8,32,32", 1);
  ASSERT_TRUE(server_.Start()) << server_.Log();
  const auto worker = server_.StartWorker("worker", GetParam());
  const CliResult first = Submit();
  ASSERT_EQ(first.exit.code, 0) << first.err << server_.Log();
  const std::filesystem::path path = FileOf("raw.ome.tif");
  ASSERT_TRUE(std::filesystem::exists(path)) << path;
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(1000);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(1000);
    file.put(byte);
  }
  const CliResult second = Submit();
  EXPECT_EQ(second.exit.code, 5) << second.err;
  EXPECT_THAT(second.err, HasSubstr("is on the server already"));
  EXPECT_THAT(second.err, HasSubstr("has changed on the disk"));
  EXPECT_THAT(second.err, HasSubstr(path.filename().string()));
  const CliResult third = Submit();
  EXPECT_EQ(third.exit.code, 0) << "the damaged volume is not found again, and the stack is sent anew: " << third.err;
  EXPECT_NE(FileOf("raw.ome.tif"), path);
}

INSTANTIATE_TEST_SUITE_P(Workers, DamageTest, ::testing::Bool(),
                         [](const auto& instance) { return instance.param ? "SameHost" : "Streaming"; });

}  // namespace
}  // namespace deconvoy::testing
