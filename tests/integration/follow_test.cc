// Results that are read, and looked at, while they are computed.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <random>

#include "client/cpp/client.h"
#include "deconvoy/v1/jobs.grpc.pb.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kFrame{12, 300, 270};  // more rows than a preview has

class FollowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start()) << server_.Log();
    ASSERT_OK_AND_ASSIGN(client_, client::Client::Connect(server_.address()));
    const auto channel = grpc::CreateChannel(server_.address(), grpc::InsecureChannelCredentials());
    volumes_ = v1::Volumes::NewStub(channel);
    jobs_ = v1::Jobs::NewStub(channel);
  }

  absl::StatusOr<std::string> Upload(const Shape5& shape, const std::function<float(size_t)>& voxel) {
    size_t next = 0;
    return client_->Upload(MakeSpec(shape, v1::F32), [&](int64_t, int64_t, int64_t, std::span<std::byte> plane) {
      std::vector<float> voxels(plane.size() / sizeof(float));
      for (float& value : voxels) value = voxel(next++);
      std::memcpy(plane.data(), voxels.data(), plane.size());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<v1::Job> Submit(int iterations) {
    std::mt19937_64 random(5);
    v1::JobSpec spec;
    v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
    const Shape5 image{2, 1, kFrame.z, kFrame.y, kFrame.x};
    ASSIGN_OR_RETURN(*work.mutable_input_volume(),
                     Upload(image, [&](size_t) { return static_cast<float>(20 + random() % 200); }));
    ASSIGN_OR_RETURN(*work.mutable_psf_volume(), Upload({1, 1, 3, 3, 3}, [](size_t i) { return i == 13 ? 9.0F : 1; }));
    work.set_method("rl");
    work.mutable_parameters()->insert({"iterations", std::to_string(iterations)});
    work.set_background_counts(0);
    *work.mutable_tile()->mutable_core() = ToProto(Shape3{6, 100, 90});
    return client_->Submit(spec);
  }

  // All that Read gives: how often each voxel has come, and the values.
  struct Received {
    std::vector<float> voxels = std::vector<float>(static_cast<size_t>(2 * kFrame.voxels()));
    std::vector<int> times = std::vector<int>(voxels.size());
    grpc::Status status;
  };
  Received Read(const std::string& volume, bool follow) {
    v1::ReadVolumeRequest request;
    request.set_volume(volume);
    request.set_follow(follow);
    grpc::ClientContext context;
    const auto stream = volumes_->Read(&context, request);
    Received received;
    for (v1::ReadVolumeResponse response; stream->Read(&response);) {
      const FrameBox box = ToFrameBox(response.chunk().box());
      EXPECT_OK(ForEachRun({2, 1, kFrame.z, kFrame.y, kFrame.x}, v1::F32, box, [&](const ByteRun& run) {
        const auto first = static_cast<size_t>(run.volume_offset) / sizeof(float);
        const auto count = static_cast<size_t>(run.bytes) / sizeof(float);
        std::memcpy(&received.voxels[first], response.chunk().data().data() + run.box_offset, count * sizeof(float));
        for (size_t i = first; i < first + count; ++i) ++received.times[i];
        return absl::OkStatus();
      }));
    }
    received.status = stream->Finish();
    return received;
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  std::optional<client::Client> client_;
  std::unique_ptr<v1::Volumes::Stub> volumes_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
};

TEST_F(FollowTest, EveryBoxComesOnceWhileTheJobRunsAndThePreviewIsTheProjection) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(5));
  const std::string result = job.outputs(0).volume();
  auto followed = std::async(std::launch::async, [&] { return Read(result, true); });
  ASSERT_OK_AND_ASSIGN(const v1::Job ended, client_->Watch(job.name(), 0, [](const v1::JobEvent&) {}));
  ASSERT_EQ(ended.state(), v1::SUCCEEDED) << ended.error().message();
  const Received live = followed.get(), after = Read(result, false);
  EXPECT_TRUE(live.status.ok()) << live.status.error_message();
  ASSERT_TRUE(after.status.ok()) << after.status.error_message();
  EXPECT_EQ(std::count(live.times.begin(), live.times.end(), 1), 2 * kFrame.voxels());
  EXPECT_TRUE(live.voxels == after.voxels);

  grpc::ClientContext context;
  v1::GetPreviewRequest request;
  request.set_job(job.name());
  v1::Preview preview;
  ASSERT_TRUE(jobs_->GetPreview(&context, request, &preview).ok());
  EXPECT_EQ(preview.t(), 1U) << "the last time point";
  ASSERT_EQ(preview.step(), 2U);
  ASSERT_EQ(preview.maximum_size(), 150 * 135);
  std::vector<float> expected(150 * 135);
  for (int64_t i = 0; i < kFrame.voxels(); ++i) {
    const int64_t y = i / kFrame.x % kFrame.y, x = i % kFrame.x;
    float& pixel = expected[static_cast<size_t>(y / 2 * 135 + x / 2)];
    pixel = std::max(pixel, after.voxels[static_cast<size_t>(kFrame.voxels() + i)]);
  }
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), preview.maximum().begin()));
}

TEST_F(FollowTest, TheResultOfACancelledJobIsGone) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(2000));
  auto followed = std::async(std::launch::async, [&] { return Read(job.outputs(0).volume(), true).status; });
  ASSERT_TRUE(Eventually([&] { return client_->GetJob(job.name())->state() == v1::RUNNING; }));
  ASSERT_OK(client_->CancelJob(job.name()));
  const grpc::Status status = followed.get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(status.error_details())) << status.error_message();
  EXPECT_EQ(info.reason(), v1::VOLUME_GONE);
}

}  // namespace
}  // namespace deconvoy::testing
