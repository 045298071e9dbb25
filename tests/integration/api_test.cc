// Programs that use the library instead of the command line: what the server and its workers check for them.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "client/cpp/client.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

// Uploads a stack of f32 whose voxels are 1, but for the one in the middle of plane 2.
absl::StatusOr<std::string> Upload(const client::Client& client, const Shape5& shape, float middle) {
  return client.Upload(MakeSpec(shape, v1::F32), [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    std::vector<float> voxels(plane.size() / sizeof(float), 1);
    if (z == 2) voxels[voxels.size() / 2] = middle;
    std::memcpy(plane.data(), voxels.data(), plane.size());
    return absl::OkStatus();
  });
}

class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.Start()) << server_.Log(); }

  // Deconvolves a stack and watches it to its end; counts the events that tell of another attempt.
  absl::StatusOr<v1::Job> Deconvolve(const client::Client& client, float image_voxel, float psf_voxel) {
    v1::JobSpec spec;
    v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
    ASSIGN_OR_RETURN(*work.mutable_input_volume(), Upload(client, {1, 1, 5, 16, 16}, image_voxel));
    ASSIGN_OR_RETURN(*work.mutable_psf_volume(), Upload(client, {1, 1, 5, 7, 7}, psf_voxel));
    work.set_method("rl");
    work.mutable_parameters()->insert({"iterations", "2"});
    work.set_background_counts(0);
    ASSIGN_OR_RETURN(const v1::Job job, client.Submit(spec));
    return client.Watch(job.name(), 0, [this](const v1::JobEvent& event) { retries_ += event.has_retry() ? 1 : 0; });
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  int retries_ = 0;
};

TEST_F(ApiTest, NaNFailsAtOnceIsNotTriedAgainAndHarmsNobody) {
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server_.address()));
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  ASSERT_OK_AND_ASSIGN(const v1::Job image, Deconvolve(client, kNaN, 2));
  EXPECT_EQ(image.state(), v1::FAILED);
  EXPECT_EQ(ReasonOf(FromStored(image.error())), v1::NOT_FINITE_INPUT);
  EXPECT_NE(image.error().message().find("z=2"), std::string::npos) << image.error().message();
  ASSERT_OK_AND_ASSIGN(const v1::Job psf, Deconvolve(client, 2, kNaN));
  EXPECT_EQ(psf.state(), v1::FAILED);
  EXPECT_NE(psf.error().message().find("NaN"), std::string::npos) << psf.error().message();
  ASSERT_OK_AND_ASSIGN(const v1::Job good, Deconvolve(client, 2, 2));
  EXPECT_EQ(good.state(), v1::SUCCEEDED) << good.error().message();
  EXPECT_EQ(retries_, 0);
}

}  // namespace
}  // namespace deconvoy::testing
