// A whole server in this process, on a Unix socket, with real store and spool in a temporary folder and no workers.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "deconvoy/v1/admin.grpc.pb.h"
#include "deconvoy/v1/jobs.grpc.pb.h"
#include "deconvoy/v1/methods.grpc.pb.h"
#include "deconvoy/v1/psfs.grpc.pb.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "deconvoy/v1/workers.grpc.pb.h"
#include "proto/contract/checksum.h"
#include "server/api/api_server.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {

// The machine-readable part of an error that came over the wire.
inline v1::ErrorInfo InfoOf(const grpc::Status& status) {
  v1::ErrorInfo info;
  EXPECT_TRUE(info.ParseFromString(status.error_details())) << status.error_message();
  return info;
}
inline v1::ErrorReason ReasonOf(const grpc::Status& status) {
  return InfoOf(status).reason();
}

class ApiTest : public ::testing::Test {
 protected:
  static constexpr int64_t kOpenCalls = 16;

  void SetUp() override {
    ServerCore::Options options;
    options.database = folder_.path() / "store.sqlite";
    options.spool = {.directory = folder_.path() / "spool", .keep_free_bytes = 0};
    options.dispatcher.poll = absl::Milliseconds(200);
    options.tokens = tokens_;
    options.file_roots = {{.name = "data", .path = folder_.path(), .writable = true}};
    ASSERT_OK_AND_ASSIGN(core_, ServerCore::Open(options, SystemClock(), RandomIds()));
    Listen();
    channel_ = grpc::CreateChannel(address_.Text(), grpc::InsecureChannelCredentials());
    volume_stub_ = v1::Volumes::NewStub(channel_);
    job_stub_ = v1::Jobs::NewStub(channel_);
    method_stub_ = v1::Methods::NewStub(channel_);
    psf_stub_ = v1::Psfs::NewStub(channel_);
    worker_stub_ = v1::Workers::NewStub(channel_);
    admin_stub_ = v1::Admin::NewStub(channel_);
  }

  void TearDown() override {
    core_->jobs().Stop();
    core_->dispatcher().Stop();
    server_.reset();
  }

  void Listen() {
    ASSERT_OK_AND_ASSIGN(WorkerCredential credential, WorkerCredential::Open(folder_.path() / "credential"));
    ASSERT_OK_AND_ASSIGN(server_, ApiServer::Start({address_}, limits_, std::move(credential), *core_));
  }

  // The secret of workers, as they send it.
  std::string Authorization() const {
    std::ifstream in(folder_.path() / "credential");
    std::string secret;
    in >> secret;
    return "Bearer " + secret;
  }

  // A volume of 1x1xZxYxX voxels of 8 bits.
  static v1::VolumeSpec Spec(uint32_t z, uint32_t y, uint32_t x) {
    v1::VolumeSpec spec;
    spec.set_display_name("test");
    spec.mutable_shape()->set_t(1);
    spec.mutable_shape()->set_c(1);
    spec.mutable_shape()->set_z(z);
    spec.mutable_shape()->set_y(y);
    spec.mutable_shape()->set_x(x);
    spec.set_type(v1::U8);
    return spec;
  }

  grpc::Status Create(const std::string& request_id, const v1::VolumeSpec& spec, v1::Volume* volume) {
    grpc::ClientContext context;
    v1::CreateVolumeRequest request;
    request.set_request_id(request_id);
    *request.mutable_spec() = spec;
    return volume_stub_->Create(&context, request, volume);
  }

  // The planes [z, z + count) of such a volume, all voxels of plane i being i + 1.
  static v1::Chunk Planes(const v1::VolumeSpec& spec, uint32_t z, uint32_t count) {
    v1::Chunk chunk;
    chunk.mutable_box()->set_z(z);
    chunk.mutable_box()->set_size_z(count);
    chunk.mutable_box()->set_size_y(spec.shape().y());
    chunk.mutable_box()->set_size_x(spec.shape().x());
    for (uint32_t i = z; i < z + count; ++i) {
      chunk.mutable_data()->append(size_t{spec.shape().y()} * spec.shape().x(), static_cast<char>(i + 1));
    }
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    return chunk;
  }

  // Sends chunks in one stream; returns its status and the last acknowledgement.
  grpc::Status Write(const std::string& volume, const std::vector<v1::Chunk>& chunks, v1::WriteVolumeResponse* last) {
    grpc::ClientContext context;
    const auto stream = volume_stub_->Write(&context);
    for (const v1::Chunk& chunk : chunks) {
      v1::WriteVolumeRequest request;
      request.set_volume(volume);
      *request.mutable_chunk() = chunk;
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    for (v1::WriteVolumeResponse response; stream->Read(&response);) *last = response;
    return stream->Finish();
  }

  TokenRule tokens_ = TokenRule::kOff;
  Door::Limits limits_ = {.users = {.open_calls = kOpenCalls}};
  testing::TemporaryFolder folder_;
  const Address address_{.kind = Address::Kind::kUnix, .path = (folder_.path() / "socket").string()};
  std::unique_ptr<ServerCore> core_;
  std::unique_ptr<ApiServer> server_;

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Volumes::Stub> volume_stub_;
  std::unique_ptr<v1::Jobs::Stub> job_stub_;
  std::unique_ptr<v1::Methods::Stub> method_stub_;
  std::unique_ptr<v1::Psfs::Stub> psf_stub_;
  std::unique_ptr<v1::Workers::Stub> worker_stub_;
  std::unique_ptr<v1::Admin::Stub> admin_stub_;
};

}  // namespace deconvoy::server
