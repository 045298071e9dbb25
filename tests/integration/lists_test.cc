// Lists of what is large to describe: they come whole, in pages that the library and the command line put together.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "client/cpp/client.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using ::testing::HasSubstr;

TEST(ListsTest, VolumesOfManyNamedChannelsAreListedToTheLast) {
  const TemporaryFolder folder;
  ServerProcess server(folder.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  const auto volumes = v1::Volumes::NewStub(grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
  v1::CreateVolumeRequest request;
  *request.mutable_spec() = MakeSpec({1, 4096, 1, 1, 1}, v1::U8);
  for (int c = 0; c < 4096; ++c) request.mutable_spec()->add_channels()->set_name(std::string(64, 'x'));
  std::set<std::string> made;
  for (int i = 0; i < 50; ++i) {
    request.set_request_id(fmt::format("large{}", i));
    grpc::ClientContext context;
    v1::Volume volume;
    const grpc::Status created = volumes->Create(&context, request, &volume);
    ASSERT_TRUE(created.ok()) << created.error_message();
    made.insert(volume.name());
  }
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server.address()));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Volume> listed, client.ListVolumes());
  EXPECT_EQ(listed.size(), made.size()) << "none twice";
  const CliResult shown = server.Cli({"volumes"});
  ASSERT_EQ(shown.exit.code, 0) << shown.err;
  for (const std::string& name : made) EXPECT_THAT(shown.out, HasSubstr(name));
}

}  // namespace
}  // namespace deconvoy::testing
