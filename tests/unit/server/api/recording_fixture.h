// The call for recording software, over a real socket, with a worker that computes nothing but answers as real ones do.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "proto/contract/resource_name.h"
#include "server/api/deconvolve_call.h"
#include "tests/unit/server/api/api_fixture.h"
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {

inline constexpr uint32_t kPlanes = 12, kRows = 16, kColumns = 8;

// One Deconvolve call, as its caller sees it.
class Recording {
 public:
  Recording(v1::Deconvolution::Stub& stub, const v1::DeconvolveHeader& header) : stream_(stub.Deconvolve(&context_)) {
    v1::DeconvolveRequest request;
    *request.mutable_header() = header;
    stream_->Write(request);
  }
  ~Recording() {
    if (!finished_) context_.TryCancel();
  }

  bool Send(const v1::Chunk& chunk) {
    v1::DeconvolveRequest request;
    *request.mutable_chunk() = chunk;
    return stream_->Write(request);
  }
  bool SendFinish(const std::string& digest = "") {
    v1::DeconvolveRequest request;
    request.mutable_finish()->set_digest(digest);
    return stream_->Write(request);
  }
  void CloseSide() { stream_->WritesDone(); }
  void Break() { context_.TryCancel(); }

  // Takes messages until one of this kind has come; false at the end of the call.
  bool Await(v1::DeconvolveResponse::PartCase part) {
    for (v1::DeconvolveResponse message; stream_->Read(&message);) {
      Take(message);
      if (message.part_case() == part) return true;
    }
    return false;
  }
  bool AwaitWritten(uint64_t chunks) {
    while (written.chunks_committed() < chunks) {
      if (!Await(v1::DeconvolveResponse::kWritten)) return false;
    }
    return true;
  }
  bool AwaitFinished(size_t boxes) {
    while (finished.size() < boxes) {
      if (!Await(v1::DeconvolveResponse::kFinished)) return false;
    }
    return true;
  }
  // Takes what is left.
  grpc::Status End() {
    for (v1::DeconvolveResponse message; stream_->Read(&message);) Take(message);
    finished_ = true;
    return stream_->Finish();
  }

  v1::SessionOpened opened;
  v1::WriteVolumeResponse written;
  v1::JobProgress progress;
  v1::Backlog backlog;
  std::vector<v1::Box> finished;
  std::optional<v1::Job> ended;
  int wrong_voxels = 0;

 private:
  void Take(const v1::DeconvolveResponse& message) {
    EXPECT_FALSE(ended) << "it comes last";
    if (message.has_opened()) opened = message.opened();
    if (message.has_written()) written = message.written();
    if (message.has_progress()) progress = message.progress();
    if (message.has_backlog()) backlog = message.backlog();
    if (message.has_finished()) finished.push_back(message.finished());
    if (message.has_ended()) ended = message.ended();
    if (!message.has_result()) return;
    const FrameBox box = ToFrameBox(message.result().box());
    EXPECT_EQ(message.result().crc32c(), Crc32c(std::as_bytes(std::span(message.result().data()))));
    size_t i = 0;
    for (int64_t z = 0; z < box.box.shape.z; ++z)
      for (int64_t y = 0; y < box.box.shape.y; ++y)
        for (int64_t x = 0; x < box.box.shape.x; ++x) {
          const Voxel at = box.box.origin + Voxel{z, y, x};
          wrong_voxels += static_cast<std::byte>(message.result().data()[i++]) != ResultByte(0, 0, at.z, at.y, at.x);
        }
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::DeconvolveRequest, v1::DeconvolveResponse>> stream_;
  bool finished_ = false;
};

class DeconvolutionApiTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    core_->capabilities().AddMethods({RlMethod()});
    stub_ = v1::Deconvolution::NewStub(channel_);
    v1::Volume psf;
    const v1::VolumeSpec spec = Spec(1, 1, 1);
    ASSERT_TRUE(Create("psf", spec, &psf).ok());
    v1::WriteVolumeResponse written;
    ASSERT_TRUE(Write(psf.name(), {Planes(spec, 0, 1)}, &written).ok());
    ASSERT_OK(core_->volumes().Finish(VolumeId(psf.name(), "").value(), ""));
    header_.set_session("s");
    *header_.mutable_input() = Spec(kPlanes, kRows, kColumns);
    v1::DeconvolveSpec& work = *header_.mutable_job()->mutable_deconvolve();
    work.set_psf_volume(psf.name());
    work.set_method("rl");
    work.set_output_type(v1::U8);
    work.set_first_planes(2);
    *work.mutable_tile()->mutable_core() = ToProto(Shape3{4, kRows, kColumns});
    header_.set_results(true);
  }

  v1::Chunk PlanesOf(uint32_t z, uint32_t count) const { return Planes(header_.input(), z, count); }

  // Does the tasks that are ready or become so within the server's poll.
  int Work() {
    core_->jobs().SettleInput();
    v1::SynchronizeRequest request;
    request.set_worker("workers/w");
    request.set_free_slots(1);
    v1::WorkerRegistration& me = *request.mutable_registration();
    me.set_contract_version(limits::kContractVersion);
    me.set_backend("cpu");
    *me.add_methods() = RlMethod();
    me.mutable_self_test()->set_passed(true);
    for (int done = 0;; ++done) {
      const auto answer = core_->dispatcher().Synchronize(request, kLocalWorkers, kNobodyLeft);
      EXPECT_OK(answer);
      if (!answer.ok() || answer->assigned().empty()) return done;
      Deliver(answer->assigned(0));
    }
  }
  void Deliver(const v1::Task& task) {
    v1::DeliveryHeader header;
    header.set_worker("workers/w");
    header.set_task(task.name());
    header.set_token(task.token());
    ASSERT_OK_AND_ASSIGN(const auto delivery, core_->dispatcher().BeginDelivery(header, kLocalWorkers));
    std::string bytes;
    const v1::TaskResult result = ResultOf(task, &bytes);
    for (size_t at = 0; at < bytes.size(); at += limits::kChunkBytes) {
      v1::OutputChunk chunk;
      chunk.set_position(at);
      chunk.set_data(bytes.substr(at, limits::kChunkBytes));
      chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
      ASSERT_OK(delivery->Write(chunk));
    }
    ASSERT_OK(delivery->Commit(result));
  }
  size_t CountVolumes() {
    const auto page = core_->store().ListVolumes("local", 1000, "");
    EXPECT_OK(page);
    return page->items.size();
  }

  bool IsFetched(const std::string& volume) {
    const auto found = core_->volumes().Get(VolumeId(volume, "").value_or(""), false);
    EXPECT_OK(found);
    return found.ok() && found->fetched();
  }

  std::unique_ptr<v1::Deconvolution::Stub> stub_;
  v1::DeconvolveHeader header_;
};

}  // namespace deconvoy::server
