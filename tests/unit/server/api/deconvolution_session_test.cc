// Sessions of Deconvolve calls: taken up again, taken over, refused.
#include "tests/unit/server/api/recording_fixture.h"

namespace deconvoy::server {
namespace {

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

TEST_F(DeconvolutionApiTest, BoxesNamedAsSeriesAreNotSentAgain) {
  {
    Recording call(*stub_, header_);
    ASSERT_TRUE(call.Send(PlanesOf(0, kPlanes)));
    ASSERT_TRUE(call.SendFinish());
    ASSERT_TRUE(call.AwaitWritten(1));
    Work();
    ASSERT_TRUE(call.End().ok());
    ASSERT_EQ(call.finished.size(), 3U);
    for (int i = 0; i < 2; ++i) {
      v1::BoxSeries& series = *header_.add_received_series();
      *series.mutable_box() = call.finished[static_cast<size_t>(i)];
      series.set_times(20'000);
    }
  }
  Recording again(*stub_, header_);
  EXPECT_TRUE(again.End().ok());
  EXPECT_EQ(again.finished.size(), 1U);
  EXPECT_EQ(again.wrong_voxels, 0);
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
  header_.add_received_series()->set_times(3);
  refused(v1::INVALID_FIELD, "header.received_series");
  header_ = good;
  header_.add_received_series()->mutable_box();
  refused(v1::INVALID_FIELD, "header.received_series");
  header_ = good;
  for (uint32_t t = 20'000; t < 80'000; ++t) {
    v1::Box& box = *header_.add_received();
    box.set_t(t);
    box.set_size_z(kPlanes);
    box.set_size_y(kRows);
    box.set_size_x(kColumns);
  }
  refused(v1::LIMIT_EXCEEDED, "header.received");
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
