// What goes up and comes down in a Deconvolve call.
#include "tests/unit/server/api/recording_fixture.h"

namespace deconvoy::server {
namespace {

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

}  // namespace
}  // namespace deconvoy::server
