// The call for recording software, over a real socket, with a worker that computes nothing but answers as real ones do.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "proto/contract/resource_name.h"
#include "server/api/deconvolve_call.h"
#include "tests/unit/server/api/api_fixture.h"
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

constexpr uint32_t kPlanes = 12, kRows = 16, kColumns = 8;

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
      const auto answer = core_->dispatcher().Synchronize(request, kNobodyLeft);
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
    ASSERT_OK_AND_ASSIGN(const auto delivery, core_->dispatcher().BeginDelivery(header));
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

TEST_F(DeconvolutionApiTest, ResultsComeBackWhilePlanesAreRecorded) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  EXPECT_FALSE(call.opened.resumed());
  EXPECT_EQ(call.opened.input().missing_size(), 1);
  EXPECT_EQ(call.opened.job().spec().job_class(), v1::INTERACTIVE);
  EXPECT_FALSE(call.opened.estimate().empty());
  ASSERT_TRUE(call.Send(PlanesOf(0, 4)));
  ASSERT_TRUE(call.AwaitWritten(1));
  EXPECT_EQ(call.written.committed_bytes(), 4U * kRows * kColumns);
  EXPECT_EQ(Work(), 2) << "the analysis, and one tile";
  ASSERT_TRUE(call.AwaitFinished(1)) << "before the last plane";
  EXPECT_EQ(call.finished[0].z(), 0U);
  EXPECT_EQ(call.finished[0].size_z(), 4U);
  ASSERT_TRUE(call.Send(PlanesOf(4, 4)));
  ASSERT_TRUE(call.Send(PlanesOf(8, 4)));
  ASSERT_TRUE(call.AwaitWritten(3));
  ASSERT_TRUE(call.SendFinish());
  EXPECT_EQ(Work(), 2);
  const grpc::Status status = call.End();  // though this side is still open
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(call.ended);
  EXPECT_EQ(call.ended->state(), v1::SUCCEEDED) << call.ended->ShortDebugString();
  EXPECT_EQ(call.finished.size(), 3U);
  EXPECT_EQ(call.wrong_voxels, 0);
  EXPECT_TRUE(IsFetched(call.opened.estimate()));
}

TEST_F(DeconvolutionApiTest, AResultThatWasFollowedWhileItWasComputedIsFetched) {
  header_.set_results(false);
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  ASSERT_TRUE(call.Send(PlanesOf(0, 4)));
  ASSERT_TRUE(call.AwaitWritten(1));
  EXPECT_EQ(Work(), 2);
  v1::ReadVolumeRequest request;
  request.set_volume(call.opened.estimate());
  request.set_follow(true);
  grpc::ClientContext context;
  const auto follow = volume_stub_->Read(&context, request);
  v1::ReadVolumeResponse response;
  ASSERT_TRUE(follow->Read(&response));
  EXPECT_FALSE(IsFetched(call.opened.estimate()));
  ASSERT_TRUE(call.Send(PlanesOf(4, 8)));
  ASSERT_TRUE(call.SendFinish());
  ASSERT_TRUE(call.AwaitWritten(2));
  EXPECT_EQ(Work(), 2);
  while (follow->Read(&response)) {
  }
  EXPECT_TRUE(follow->Finish().ok());
  EXPECT_TRUE(call.End().ok());
  EXPECT_TRUE(IsFetched(call.opened.estimate()));
}

TEST_F(DeconvolutionApiTest, TellsHowFarComputingIsBehind) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 8)));
  ASSERT_TRUE(call.AwaitWritten(1));
  while (call.backlog.waiting_bytes() != 8U * kRows * kColumns) {
    ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kBacklog));
  }
  EXPECT_GT(call.backlog.free_bytes(), 0U);
  EXPECT_EQ(call.backlog.seconds(), 0) << "nothing has been measured";
  EXPECT_EQ(Work(), 3);
  while (call.backlog.waiting_bytes() != 0) ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kBacklog));
}

TEST_F(DeconvolutionApiTest, ABrokenCallIsTakenUpAgain) {
  std::string input, job;
  v1::Box received;
  {
    Recording call(*stub_, header_);
    ASSERT_TRUE(call.Send(PlanesOf(0, 4)));
    ASSERT_TRUE(call.AwaitWritten(1));
    EXPECT_EQ(Work(), 2);
    ASSERT_TRUE(call.AwaitFinished(1));
    received = call.finished[0];
    input = call.opened.input().name();
    job = call.opened.job().name();
    call.Break();
    EXPECT_EQ(call.End().error_code(), grpc::StatusCode::CANCELLED);
  }
  *header_.add_received() = received;
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  EXPECT_TRUE(call.opened.resumed());
  EXPECT_EQ(call.opened.input().name(), input);
  EXPECT_EQ(call.opened.job().name(), job);
  ASSERT_EQ(call.opened.input().missing_size(), 1);
  EXPECT_EQ(call.opened.input().missing(0).z(), 4U);
  ASSERT_TRUE(call.Send(PlanesOf(0, 4))) << "the same again does no harm";
  ASSERT_TRUE(call.Send(PlanesOf(4, 8)));
  ASSERT_TRUE(call.SendFinish());
  ASSERT_TRUE(call.AwaitWritten(2));
  EXPECT_EQ(Work(), 2);
  EXPECT_TRUE(call.End().ok());
  ASSERT_EQ(call.finished.size(), 2U) << "what has been received is not sent again";
  EXPECT_EQ(call.finished[0].z() + call.finished[1].z(), 12U);
  EXPECT_EQ(call.wrong_voxels, 0);
  EXPECT_EQ(CountVolumes(), 3U) << "PSF, image and result";
  // Once more, when all is over.
  header_.clear_received();
  Recording again(*stub_, header_);
  EXPECT_TRUE(again.End().ok());
  EXPECT_EQ(again.opened.input().state(), v1::COMPLETE);
  EXPECT_EQ(again.finished.size(), 3U);
  EXPECT_EQ(again.ended->state(), v1::SUCCEEDED);
}

TEST_F(DeconvolutionApiTest, ANewerCallOfASessionEndsTheOlder) {
  Recording older(*stub_, header_);
  ASSERT_TRUE(older.Await(v1::DeconvolveResponse::kOpened));
  ASSERT_TRUE(older.Send(PlanesOf(0, 1)));
  Recording newer(*stub_, header_);
  ASSERT_TRUE(newer.Await(v1::DeconvolveResponse::kOpened));
  const grpc::Status taken_over = older.End();
  EXPECT_EQ(taken_over.error_code(), grpc::StatusCode::ABORTED) << "which no client tries again";
  EXPECT_EQ(taken_over.error_message(), "another call has taken up this session");
  ASSERT_TRUE(newer.Send(PlanesOf(0, 1)));
  ASSERT_TRUE(newer.AwaitWritten(1));
  header_.set_session("another");
  Recording other(*stub_, header_);
  ASSERT_TRUE(other.Await(v1::DeconvolveResponse::kOpened));
  EXPECT_FALSE(other.opened.resumed());
  EXPECT_NE(other.opened.input().name(), newer.opened.input().name());
}

// As one that takes long to find its volume, and is over for its caller.
TEST(OpenSessions, ACallThatCameEarlierEndsNoLaterOne) {
  OpenSessions sessions;
  const OpenSessions::Key key("u", "s");
  const uint64_t first = sessions.Arrive(), second = sessions.Arrive(), third = sessions.Arrive();
  int ended = 0;
  const auto end = [&ended] { ++ended; };
  EXPECT_TRUE(sessions.Enter(key, second, &second, end));
  EXPECT_FALSE(sessions.Enter(key, first, &first, end));
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(sessions.Enter({"v", "s"}, first, &first, end)) << "another user's";
  EXPECT_TRUE(sessions.Enter(key, third, &third, end));
  EXPECT_EQ(ended, 1);
  sessions.Leave(key, &second);
  EXPECT_FALSE(sessions.Enter(key, first, &first, end)) << "the third is still open";
  sessions.Leave(key, &third);
  EXPECT_TRUE(sessions.Enter(key, first, &first, end));
  EXPECT_EQ(ended, 1);
}

TEST_F(DeconvolutionApiTest, ClosingWithoutFinishLeavesEverythingAsItIs) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 4)));
  call.CloseSide();
  EXPECT_TRUE(call.End().ok());
  EXPECT_FALSE(call.ended);
  EXPECT_EQ(call.written.chunks_committed(), 1U) << "what came is durable, and said to be";
  Recording again(*stub_, header_);
  ASSERT_TRUE(again.Await(v1::DeconvolveResponse::kOpened));
  EXPECT_TRUE(again.opened.resumed());
  EXPECT_EQ(again.opened.input().committed_bytes(), 4U * kRows * kColumns);
}

// The planes are durable although their sender takes no answer, and what it misses comes once it does.
TEST_F(DeconvolutionApiTest, WhoTakesNoAnswersIsStillListenedTo) {
  header_.mutable_input()->mutable_shape()->set_y(512);
  header_.mutable_input()->mutable_shape()->set_x(1024);
  header_.mutable_job()->mutable_deconvolve()->mutable_tile()->mutable_core()->set_y(512);
  header_.mutable_job()->mutable_deconvolve()->mutable_tile()->mutable_core()->set_x(1024);
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  const std::string input = VolumeId(call.opened.input().name(), "").value();
  const auto committed = [&] { return core_->volumes().Get(input, false)->committed_bytes(); };
  for (uint32_t z = 0; z < kPlanes; ++z) {
    ASSERT_TRUE(call.Send(PlanesOf(z, 1)));
    while (committed() < (z + 1) * 512U * 1024U) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (z % 4 == 3) Work();
  }
  ASSERT_TRUE(call.SendFinish());
  EXPECT_TRUE(call.End().ok());
  EXPECT_EQ(call.finished.size(), 3U);
  EXPECT_EQ(call.wrong_voxels, 0);
  EXPECT_EQ(call.written.chunks_committed(), kPlanes);
}

// A call whose caller takes nothing cannot be told why it ends, but ends.
TEST_F(DeconvolutionApiTest, ACallThatIsStuckMakesWayForANewerOne) {
  header_.mutable_input()->mutable_shape()->set_y(512);
  header_.mutable_input()->mutable_shape()->set_x(1024);
  header_.mutable_job()->mutable_deconvolve()->mutable_tile()->mutable_core()->set_y(512);
  header_.mutable_job()->mutable_deconvolve()->mutable_tile()->mutable_core()->set_x(1024);
  Recording older(*stub_, header_);
  ASSERT_TRUE(older.Await(v1::DeconvolveResponse::kOpened));
  for (uint32_t z = 0; z < 8; ++z) ASSERT_TRUE(older.Send(PlanesOf(z, 1)));
  const std::string input = VolumeId(older.opened.input().name(), "").value();
  while (core_->volumes().Get(input, false)->committed_bytes() < 8U * 512U * 1024U) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(Work(), 3);
  Recording newer(*stub_, header_);
  ASSERT_TRUE(newer.Await(v1::DeconvolveResponse::kOpened));
  for (uint32_t z = 8; z < kPlanes; ++z) ASSERT_TRUE(newer.Send(PlanesOf(z, 1)));
  ASSERT_TRUE(newer.SendFinish());
  ASSERT_TRUE(newer.AwaitWritten(4));
  EXPECT_EQ(Work(), 1);
  EXPECT_TRUE(newer.End().ok());
  EXPECT_EQ(newer.finished.size(), 3U);
  EXPECT_EQ(newer.wrong_voxels, 0);
  const grpc::StatusCode ended = older.End().error_code();
  EXPECT_TRUE(ended == grpc::StatusCode::ABORTED || ended == grpc::StatusCode::CANCELLED) << ended;
}

TEST_F(DeconvolutionApiTest, ResultsAreSentOnlyWhereTheyAreWanted) {
  header_.set_results(false);
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 12)));
  ASSERT_TRUE(call.SendFinish());
  ASSERT_TRUE(call.AwaitWritten(1));
  EXPECT_EQ(Work(), 4);
  EXPECT_TRUE(call.End().ok());
  EXPECT_EQ(call.ended->state(), v1::SUCCEEDED);
  EXPECT_TRUE(call.finished.empty());
}

TEST_F(DeconvolutionApiTest, AWrongDigestIsTheEndOfTheJob) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 12)));
  ASSERT_TRUE(call.SendFinish(std::string(32, 'x')));
  EXPECT_TRUE(call.End().ok());
  ASSERT_TRUE(call.ended);
  EXPECT_EQ(call.ended->state(), v1::FAILED);
  EXPECT_EQ(call.ended->error().info().reason(), v1::DIGEST_MISMATCH);
}

TEST_F(DeconvolutionApiTest, FinishingTooEarlyIsAnErrorThatLeavesTheSession) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 11)));
  ASSERT_TRUE(call.SendFinish());
  EXPECT_EQ(ReasonOf(call.End()), v1::VOLUME_INCOMPLETE);
  EXPECT_EQ(call.written.chunks_committed(), 1U);
  Recording again(*stub_, header_);
  ASSERT_TRUE(again.Send(PlanesOf(11, 1)));
  ASSERT_TRUE(again.SendFinish());
  ASSERT_TRUE(again.AwaitWritten(1));
  EXPECT_EQ(Work(), 4);
  EXPECT_TRUE(again.End().ok());
  EXPECT_EQ(again.ended->state(), v1::SUCCEEDED);
}

TEST_F(DeconvolutionApiTest, ADamagedChunkEndsTheCallAfterWhatCameBefore) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 4)));
  v1::Chunk damaged = PlanesOf(4, 4);
  damaged.mutable_data()->at(3) ^= 1;
  ASSERT_TRUE(call.Send(damaged));
  EXPECT_EQ(ReasonOf(call.End()), v1::CHECKSUM_MISMATCH);
  EXPECT_EQ(call.written.chunks_committed(), 1U);
}

TEST_F(DeconvolutionApiTest, ACancelledJobEndsTheCall) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  ASSERT_OK(core_->jobs().Cancel("local", JobId(call.opened.job().name(), "").value()));
  EXPECT_TRUE(call.End().ok());
  EXPECT_EQ(call.ended->state(), v1::CANCELLED);
  Recording again(*stub_, header_);
  EXPECT_TRUE(again.End().ok());
  EXPECT_TRUE(again.opened.estimate().empty());
  EXPECT_EQ(again.ended->state(), v1::CANCELLED);
}

TEST_F(DeconvolutionApiTest, AServerThatStopsSaysSo) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  core_->jobs().Stop();
  EXPECT_EQ(ReasonOf(call.End()), v1::SHUTTING_DOWN);
}

TEST_F(DeconvolutionApiTest, ARefusedHeaderLeavesNothing) {
  const auto refused = [&](v1::ErrorReason reason, const std::string& field) {
    Recording call(*stub_, header_);
    const grpc::Status status = call.End();
    EXPECT_EQ(ReasonOf(status), reason) << status.error_message();
    EXPECT_EQ(InfoOf(status).field(), field);
    EXPECT_FALSE(InfoOf(status).remedy().empty());
    EXPECT_EQ(CountVolumes(), 1U);
  };
  const v1::DeconvolveHeader good = header_;
  v1::DeconvolveSpec& work = *header_.mutable_job()->mutable_deconvolve();
  (*work.mutable_parameters())["iterations"] = "auto";
  refused(v1::NOT_STREAMABLE, "deconvolve.parameters[\"iterations\"]");
  work = good.job().deconvolve();
  work.set_psf_volume("volumes/none");
  refused(v1::NOT_FOUND, "deconvolve.psf_volume");
  work = good.job().deconvolve();
  work.set_input_volume(work.psf_volume());
  refused(v1::INVALID_FIELD, "header.job.deconvolve.input_volume");
  header_.mutable_job()->mutable_simulate();
  refused(v1::INVALID_FIELD, "header.job");
  header_ = good;
  header_.set_session("no spaces");
  refused(v1::INVALID_FIELD, "header.session");
  header_ = good;
  header_.mutable_input()->set_digest(std::string(32, 'd'));
  refused(v1::INVALID_FIELD, "header.input.digest");
  header_ = good;
  Recording call(*stub_, header_);
  EXPECT_TRUE(call.Await(v1::DeconvolveResponse::kOpened)) << "the session is as good as new";
  EXPECT_FALSE(call.opened.resumed());
}

TEST_F(DeconvolutionApiTest, ASessionHasOneHeader) {
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kOpened));
  const v1::DeconvolveHeader good = header_;
  header_.mutable_input()->mutable_shape()->set_z(13);
  const grpc::Status other_image = Recording(*stub_, header_).End();
  EXPECT_EQ(other_image.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(InfoOf(other_image).field(), "header.session");
  header_ = good;
  header_.mutable_job()->mutable_deconvolve()->set_background_counts(3);
  const grpc::Status other_job = Recording(*stub_, header_).End();
  EXPECT_EQ(other_job.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(InfoOf(other_job).field(), "header.session");
}

TEST_F(DeconvolutionApiTest, TheHeaderComesFirstAndOnce) {
  grpc::ClientContext context;
  const auto stream = stub_->Deconvolve(&context);
  v1::DeconvolveRequest request;
  *request.mutable_chunk() = PlanesOf(0, 1);
  stream->Write(request);
  EXPECT_EQ(InfoOf(stream->Finish()).field(), "header");
  Recording call(*stub_, header_);
  ASSERT_TRUE(call.Send(PlanesOf(0, 12)));
  ASSERT_TRUE(call.SendFinish());
  ASSERT_TRUE(call.SendFinish());
  EXPECT_EQ(InfoOf(call.End()).field(), "part");
}

}  // namespace
}  // namespace deconvoy::server
