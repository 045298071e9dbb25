#include "server/schedule/server_core.h"

#include <gtest/gtest.h>

#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/fake_environment.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

TEST(ServerCoreTest, VolumesOutliveALostDatabase) {
  const deconvoy::testing::TemporaryFolder folder;
  deconvoy::testing::FakeClock clock;
  deconvoy::testing::CountingIds ids;
  const ServerCore::Options options{.database = folder.path() / "store.sqlite",
                                    .spool = {.directory = folder.path() / "spool", .keep_free_bytes = 0}};
  ASSERT_OK(ServerCore::Open(options, clock, ids));
  std::filesystem::remove(options.database);
  ASSERT_OK(ServerCore::Open(options, clock, ids));  // there is nothing to lose without volumes

  const std::filesystem::path volume = folder.path() / "spool/volumes/v.raw";
  std::ofstream(volume) << "voxels";
  std::filesystem::remove(options.database);
  const absl::Status refused = ServerCore::Open(options, clock, ids).status();
  EXPECT_EQ(ReasonOf(refused), v1::STORAGE_FAILURE);
  EXPECT_EQ(InfoOf(refused).metadata().at("path"), options.database.string());
  EXPECT_TRUE(std::filesystem::exists(volume));
  EXPECT_FALSE(std::filesystem::exists(options.database));
}

}  // namespace
}  // namespace deconvoy::server
