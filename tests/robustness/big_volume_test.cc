// 4 GB through a server: neither side holds more than a few chunks.
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>

#include "client/cpp/client.h"
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

TEST(BigVolumeTest, FourGigabytesUpAndDownInBoundedMemory) {
  TemporaryFolder folder;
  struct statvfs disk;
  ASSERT_EQ(statvfs(folder.path().c_str(), &disk), 0);
  if (disk.f_bavail * disk.f_frsize < (uint64_t{6} << 30)) GTEST_SKIP() << "SKIPPED: needs 6 GiB of free disk";
  ServerProcess server(folder.path(), 0);
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
  const int64_t server_bytes = PeakResidentBytes(server.process().pid()), client_bytes = PeakResidentBytes(getpid());
  RecordProperty("server_peak_bytes", std::to_string(server_bytes));
  RecordProperty("client_peak_bytes", std::to_string(client_bytes));
  std::printf("peak resident memory: server %.1f MB, client %.1f MB\n", static_cast<double>(server_bytes) / 1e6,
              static_cast<double>(client_bytes) / 1e6);
  EXPECT_LT(server_bytes, 150'000'000);
  EXPECT_LT(client_bytes, 300'000'000);
}

}  // namespace
}  // namespace deconvoy::testing
