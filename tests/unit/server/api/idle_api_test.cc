// Streams on which nothing moves, over a real socket.
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "tests/unit/server/api/api_fixture.h"

namespace deconvoy::server {
namespace {

class IdleApiTest : public ApiTest {
 protected:
  IdleApiTest() { limits_.idle_stream = std::chrono::seconds(2); }

  // Opens an upload, says nothing, and waits for its end.
  grpc::Status UploadNothing() {
    grpc::ClientContext context;
    const auto stream = volume_stub_->Write(&context);
    v1::WriteVolumeResponse response;
    EXPECT_FALSE(stream->Read(&response));
    return stream->Finish();
  }
};

TEST_F(IdleApiTest, AnUploadThatSaysNothingIsEnded) {
  EXPECT_EQ(UploadNothing().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(IdleApiTest, ARecordingWithoutItsHeaderIsEnded) {
  const auto stub = v1::Deconvolution::NewStub(channel_);
  grpc::ClientContext context;
  const auto stream = stub->Deconvolve(&context);
  v1::DeconvolveResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(IdleApiTest, ACallWhoseMessageDoesNotComeIsEnded) {
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, "/deconvoy.v1.Volumes/Get", &queue);
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(wait());
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  EXPECT_FALSE(wait());
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(wait());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(IdleApiTest, WhoFollowsMayWait) {
  const v1::VolumeSpec spec = Spec(2, 4, 4);
  v1::Volume volume;
  ASSERT_TRUE(Create("followed", spec, &volume).ok());
  v1::WriteVolumeResponse last;
  ASSERT_TRUE(Write(volume.name(), {Planes(spec, 0, 1)}, &last).ok());
  v1::ReadVolumeRequest request;
  request.set_volume(volume.name());
  request.set_follow(true);
  grpc::ClientContext context;
  const auto follow = volume_stub_->Read(&context, request);
  v1::ReadVolumeResponse response;
  ASSERT_TRUE(follow->Read(&response));
  UploadNothing();  // begun later, and ended for being idle
  ASSERT_TRUE(Write(volume.name(), {Planes(spec, 1, 1)}, &last).ok());
  EXPECT_TRUE(follow->Read(&response));
  EXPECT_FALSE(follow->Read(&response));
  EXPECT_TRUE(follow->Finish().ok());
}

}  // namespace
}  // namespace deconvoy::server
