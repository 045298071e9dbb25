// 32 uploads and 32 downloads at once, half of the readers stalled: the server holds no more than its bound.
#include <gtest/gtest.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr int kStreams = 32;
constexpr int64_t kPlanes = 32, kEdge = 1024;  // 16 bit: 64 MiB, many times what is on its way for one call
constexpr int64_t kServerBytes = 150'000'000;

v1::VolumeSpec Spec() {
  return MakeSpec({1, 1, kPlanes, kEdge, kEdge}, v1::U16);
}

// Noise, which no packing makes smaller: plane `z` of upload `number`. The volume that is read is number kStreams.
void FillPlane(int number, int64_t z, std::span<std::byte> plane) {
  uint64_t state = static_cast<uint64_t>(number * kPlanes + z + 1) * 0x9E3779B97F4A7C15ULL;
  for (size_t i = 0; i + 8 <= plane.size(); i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(plane.data() + i, &state, 8);
  }
}

client::PlaneSource Source(int number) {
  return [number](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    FillPlane(number, z, plane);
    return absl::OkStatus();
  };
}

TEST(ManyStreamsTest, TheServerKeepsToItsBoundWhileHalfOfTheReadersStall) {
  if (Sanitized()) GTEST_SKIP() << "SKIPPED: with sanitizers, memory is not that of the programs";
  TemporaryFolder folder;
  struct statvfs disk;
  ASSERT_EQ(statvfs(folder.path().c_str(), &disk), 0);
  if (disk.f_bavail * disk.f_frsize < (uint64_t{4} << 30)) GTEST_SKIP() << "SKIPPED: needs 4 GiB of free disk";
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_OK_AND_ASSIGN(const client::Client setup, client::Client::Connect(server.address()));
  ASSERT_OK_AND_ASSIGN(const std::string source, setup.Upload(Spec(), Source(kStreams)));

  std::atomic<int> uploading = kStreams, stalled = 0, whole = 0;
  const auto upload = [&](int number) {
    const auto client = client::Client::Connect(server.address());
    EXPECT_OK(client);
    if (client.ok()) EXPECT_OK(client->Upload(Spec(), Source(number)));
    --uploading;
  };
  // Every second reader takes one plane and stalls until all uploads are over.
  const auto read = [&](int number) {
    const auto client = client::Client::Connect(server.address());
    EXPECT_OK(client);
    if (!client.ok()) return;
    std::vector<std::byte> expected(static_cast<size_t>(kEdge * kEdge * 2));
    int64_t right = 0;
    EXPECT_OK(client->Download(source, [&](int64_t, int64_t, int64_t z, std::span<const std::byte> plane) {
      if (number % 2 == 0 && right == 0 && uploading > 0) {
        ++stalled;
        while (uploading > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      FillPlane(kStreams, z, expected);
      right += std::ranges::equal(plane, expected) ? 1 : 0;
      return absl::OkStatus();
    }));
    whole += right == kPlanes ? 1 : 0;
  };
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < kStreams; ++number) {
      threads.emplace_back(upload, number);
      threads.emplace_back(read, number);
    }
  }
  EXPECT_EQ(whole, kStreams);
  EXPECT_EQ(stalled, kStreams / 2) << "the uploads were over before they could stall anybody";

  const int64_t peak = PeakResidentBytes(server.process().pid());
  RecordProperty("server_peak_bytes", std::to_string(peak));
  std::printf("peak resident memory: server %.1f MB\n", static_cast<double>(peak) / 1e6);
  EXPECT_GT(peak, 0) << "it was not measured";
  EXPECT_LT(peak, kServerBytes);
}

}  // namespace
}  // namespace deconvoy::testing
