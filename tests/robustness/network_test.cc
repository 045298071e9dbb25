// A network that is slow and breaks every connection after a while: clients and workers go on, and the result is right.
#include <gtest/gtest.h>

#include <algorithm>

#include "client/cpp/client.h"
#include "tests/integration/support/flaky_proxy.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

class NetworkTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.Start()) << server_.Log(); }

  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  const TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 0};
  FlakyProxy proxy_{folder_.path() / "s"};
};

TEST_F(NetworkTest, AVolumeGoesUpAndDownThoughEveryConnectionBreaks) {
  constexpr int64_t kPlanes = 24, kEdge = 512;
  proxy_.Delay(std::chrono::milliseconds(2));
  proxy_.BreakAfter(5 << 20);
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(proxy_.address()));
  const auto shade = [](int64_t z) { return static_cast<std::byte>(z + 1); };
  ASSERT_OK_AND_ASSIGN(const std::string volume,
                       client.Upload(MakeSpec({1, 1, kPlanes, kEdge, kEdge}, v1::U16),
                                     [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
                                       std::fill(plane.begin(), plane.end(), shade(z));
                                       return absl::OkStatus();
                                     }));
  const int64_t broken_up = proxy_.broken();
  EXPECT_GE(broken_up, 1);
  int64_t right = 0;
  ASSERT_OK(client.Download(volume, [&](int64_t, int64_t, int64_t z, std::span<const std::byte> plane) {
    right += std::all_of(plane.begin(), plane.end(), [&](std::byte value) { return value == shade(z); }) ? 1 : 0;
    return absl::OkStatus();
  }));
  EXPECT_EQ(right, kPlanes);
  EXPECT_GT(proxy_.broken(), broken_up);
}

TEST_F(NetworkTest, AWorkerComputesTheSameOverABadNetwork) {
  Simulate(folder_.path(), "24,64,64", 5);
  const auto job = [&](const std::string& output) {
    return server_.Cli({"run", file("raw.ome.tif"), "--psf", file("psf.ome.tif"), "--iterations", "20", "--background",
                        "5", "--tile", "12,32,32", "-o", file(output)});
  };
  auto near = server_.StartWorker("near");
  const CliResult calm = job("calm.tif");
  ASSERT_EQ(calm.exit.code, 0) << calm.err << server_.Log();
  near.reset();

  proxy_.Delay(std::chrono::milliseconds(20));
  proxy_.BreakAfter(700 << 10);  // some tiles
  Process far("deconvoy-worker",
              {"--server", proxy_.address(), "--credential-file", (server_.state() / "worker.credential").string(),
               "--threads", "1", "--state", PlanCache().string()},
              {{}, folder_.path(), "far"});
  const CliResult disturbed = job("disturbed.tif");
  ASSERT_EQ(disturbed.exit.code, 0) << disturbed.err << server_.Log() << far.Errors();
  EXPECT_GE(proxy_.broken(), 1);
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(file("calm.tif")));
  ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(file("disturbed.tif")));
  EXPECT_TRUE(result.voxels == expected.voxels) << RelativeL2(result.voxels, expected.voxels);
}

}  // namespace
}  // namespace deconvoy::testing
