// Jobs on volumes that are still being written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

constexpr Shape5 kStack{1, 1, 12, 8, 8};

class InputTest : public ::testing::Test {
 protected:
  // A job on a volume of which nothing is there, in tiles of four planes, that looks at the first two planes.
  v1::JobSpec Growing(const Shape5& shape, const std::string& initial = "mean") {
    v1::JobSpec spec = service_.Deconvolve(shape, {4, shape.y, shape.x}, initial);
    shape_ = shape;
    image_ = service_.AddVolume(MakeSpec(shape), /*complete=*/false);
    spec.mutable_deconvolve()->set_input_volume(image_);
    spec.mutable_deconvolve()->set_first_planes(2);
    return spec;
  }
  std::string image_id() const { return VolumeId(image_, "").value(); }

  static v1::Chunk ChunkOf(const FrameBox& box) {
    v1::Chunk chunk;
    *chunk.mutable_box() = ToProto(box);
    chunk.set_data(std::string(static_cast<size_t>(box.box.shape.voxels()), '\0'));
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    return chunk;
  }
  // Records boxes, and waits until the jobs know it.
  void Record(const std::vector<FrameBox>& boxes) {
    ASSERT_OK_AND_ASSIGN(const auto writer, service_.volumes().Write(image_id()));
    for (const FrameBox& box : boxes) ASSERT_OK(writer->Add(ChunkOf(box)));
    ASSERT_OK(writer->Commit());
    service_.jobs().SettleInput();
  }
  FrameBox PlanesOf(int64_t t, int64_t c, int64_t begin, int64_t end) const {
    return {t, c, {{begin, 0, 0}, {end - begin, shape_.y, shape_.x}}};
  }
  void Record(int64_t t, int64_t c, int64_t begin, int64_t end) { Record({PlanesOf(t, c, begin, end)}); }
  absl::Status FinishImage(const std::string& digest = "") {
    const absl::Status finished = service_.volumes().Finish(image_id(), digest).status();
    service_.jobs().SettleInput();
    return finished;
  }
  // The first plane and time of the tile that is given out next; -1 when there is none.
  std::pair<int64_t, int64_t> NextTile() {
    const std::optional<v1::Task> task = worker_.Take();
    if (!task) return {-1, -1};
    EXPECT_TRUE(task->has_tile()) << task->ShortDebugString();
    EXPECT_OK(worker_.Deliver(*task));
    return {task->tile().core().t(), task->tile().core().z()};
  }
  void Analyse(const Shape3& psf_crop = {1, 1, 1}) {
    const std::optional<v1::Task> task = worker_.Take();
    ASSERT_TRUE(task && task->has_analyse());
    EXPECT_EQ(task->analyse().first_planes(), 2U);
    std::string bytes;
    const v1::TaskResult result = ResultOf(*task, &bytes, psf_crop);
    ASSERT_OK(worker_.Deliver(*task, result, bytes));
  }

  JobService service_;
  TestWorker worker_{service_, "w"};
  Shape5 shape_;
  std::string image_;
};

TEST_F(InputTest, TasksBecomeReadyAsTheirPlanesCome) {
  const std::string job = service_.Submit(Growing(kStack));
  EXPECT_FALSE(worker_.Take());
  EXPECT_EQ(service_.Get(job).progress().tasks_blocked(), 1U);
  EXPECT_EQ(service_.Get(job).progress().activity(), "waiting for the image: 0 of 12 planes are there");
  Record(0, 0, 0, 1);
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 1, 3);
  Analyse();
  EXPECT_FALSE(worker_.Take()) << "of the first tile a plane is missing";
  EXPECT_EQ(service_.Get(job).progress().tasks_blocked(), 3U);
  EXPECT_EQ(service_.Get(job).progress().activity(), "waiting for the image: 3 of 12 planes are there");
  Record(0, 0, 3, 4);
  EXPECT_EQ(NextTile(), std::pair(int64_t{0}, int64_t{0}));
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 8, 12);
  EXPECT_EQ(NextTile().second, 8) << "planes may come in any order";
  Record(0, 0, 4, 7);
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 7, 8);
  EXPECT_EQ(NextTile().second, 4);
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  EXPECT_EQ(service_.Get(job).progress().activity(), "waiting for the image to be finished");
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, ATileWaitsForItsHalo) {
  v1::JobSpec spec = Growing(kStack);
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 3, 1, 1}, v1::F32)));
  service_.Submit(spec);
  Record(0, 0, 0, 4);
  Analyse({3, 1, 1});
  EXPECT_FALSE(worker_.Take());
  const int64_t halo = HaloExtent(3, 0);
  Record(0, 0, 4, 4 + halo - 1);
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 4 + halo - 1, 4 + halo);
  EXPECT_EQ(NextTile().second, 0);
}

// The region's first tile reads planes of the middle, not the frame's first ones.
TEST_F(InputTest, TilesOfARegionWaitForTheirOwnPlanes) {
  v1::JobSpec spec = Growing(kStack);
  *spec.mutable_deconvolve()->mutable_region_origin() = ToProto(Voxel{4, 0, 0});
  *spec.mutable_deconvolve()->mutable_region_shape() = ToProto(Shape3{8, 8, 8});
  const std::string job = service_.Submit(spec);
  Record(0, 0, 0, 4);
  Analyse();
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 4, 8);
  EXPECT_EQ(NextTile().second, 4);
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 8, 12);
  EXPECT_EQ(NextTile().second, 8);
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, PartsOfPlanesCountWhenTheyMakeThemWhole) {
  service_.Submit(Growing(kStack));
  std::vector<FrameBox> left, right;
  for (int64_t z = 0; z < 4; ++z) {
    left.push_back({0, 0, {{z, 0, 0}, {1, 8, 5}}});
    right.push_back({0, 0, {{z, 0, 5}, {1, 8, 3}}});
  }
  Record(left);
  Record(left);
  EXPECT_FALSE(worker_.Take());
  Record({right[0], right[1]});
  Analyse();
  EXPECT_FALSE(worker_.Take());
  Record(right);
  EXPECT_EQ(NextTile().second, 0);
}

TEST_F(InputTest, WhatIsThereAlreadyIsNotWaitedFor) {
  const v1::JobSpec spec = Growing(kStack);
  Record(0, 0, 0, 6);
  service_.Submit(spec);
  Analyse();
  EXPECT_EQ(NextTile().second, 0);
  EXPECT_FALSE(worker_.Take());
}

TEST_F(InputTest, TheAnalysisWaitsForEveryChannel) {
  service_.Submit(Growing({2, 2, 4, 8, 8}));
  Record(0, 0, 0, 4);
  EXPECT_FALSE(worker_.Take());
  Record(0, 1, 0, 2);
  Analyse();
  EXPECT_EQ(NextTile(), std::pair(int64_t{0}, int64_t{0})) << "channel 0";
  EXPECT_FALSE(worker_.Take());
}

TEST_F(InputTest, WhatTheFirstTimePointTellsHoldsForAll) {
  const std::string job = service_.Submit(Growing({3, 2, 4, 8, 8}));
  for (const int64_t c : {0, 1}) Record(0, c, 0, 4);
  const std::optional<v1::Task> task = worker_.Take();
  ASSERT_TRUE(task && task->has_analyse());
  std::string bytes;
  v1::TaskResult result = ResultOf(*task, &bytes);
  ASSERT_EQ(result.analyse().frames_size(), 6);
  result.mutable_analyse()->mutable_frames()->DeleteSubrange(2, 4);
  ASSERT_OK(worker_.Deliver(*task, result, bytes));
  const v1::Job shown = service_.Get(job);
  ASSERT_EQ(shown.frames_size(), 6);
  EXPECT_EQ(shown.frames(5).t(), 2U);
  EXPECT_EQ(shown.frames(5).c(), 1U);
  EXPECT_EQ(shown.frames(5).mean(), 1);
  Record(2, 1, 0, 4);
  std::vector<std::pair<uint32_t, uint32_t>> frames;
  while (const std::optional<v1::Task> tile = worker_.Take()) {
    ASSERT_EQ(tile->tile().frames_size(), 1);
    const v1::FrameStatistics& frame = tile->tile().frames(0);
    frames.emplace_back(frame.t(), frame.c());
    EXPECT_EQ(frame.mean(), frame.c());
    ASSERT_OK(worker_.Deliver(*tile));
  }
  EXPECT_THAT(frames, ::testing::UnorderedElementsAre(std::pair(0U, 0U), std::pair(0U, 1U), std::pair(2U, 1U)));
}

TEST_F(InputTest, ATileOfJoinedChannelsWaitsForAllOfThem) {
  v1::Method views = RlMethod();
  views.set_name("views");
  views.set_joins_channels(true);
  *worker_.registration.add_methods() = views;
  service_.capabilities().AddMethods({views});
  v1::JobSpec spec = Growing({1, 2, 8, 8, 8});
  spec.mutable_deconvolve()->set_method("views");
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 2, 1, 1, 1}, v1::F32)));
  const std::string job = service_.Submit(spec);
  Record(0, 0, 0, 8);
  Record(0, 1, 0, 3);
  Analyse();
  EXPECT_FALSE(worker_.Take());
  Record(0, 1, 3, 4);
  EXPECT_EQ(NextTile().second, 0);
  EXPECT_FALSE(worker_.Take());
  Record(0, 1, 4, 8);
  EXPECT_EQ(NextTile().second, 4);
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, AFrameIsDoneWhileTheNextIsRecorded) {
  const std::string job = service_.Submit(Growing({3, 1, 4, 8, 8}));
  Record(0, 0, 0, 4);
  Analyse();
  for (int64_t t = 0; t < 3; ++t) {
    EXPECT_EQ(NextTile(), std::pair(t, int64_t{0}));
    EXPECT_FALSE(worker_.Take());
    if (t < 2) Record(t + 1, 0, 0, 4);
  }
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, AFrameThatStartsFromThePreviousWaitsForBoth) {
  const std::string job = service_.Submit(Growing({3, 1, 8, 8, 8}, "previous"));
  Record(0, 0, 0, 8);
  Record(1, 0, 0, 4);
  Analyse();
  EXPECT_EQ(NextTile(), std::pair(int64_t{0}, int64_t{0}));
  EXPECT_EQ(NextTile(), std::pair(int64_t{0}, int64_t{4}));
  EXPECT_EQ(NextTile(), std::pair(int64_t{1}, int64_t{0}));
  EXPECT_FALSE(worker_.Take()) << "the planes of the second tile are missing";
  Record(2, 0, 0, 8);
  EXPECT_FALSE(worker_.Take()) << "the frame before is not done";
  Record(1, 0, 4, 8);
  EXPECT_EQ(NextTile(), std::pair(int64_t{1}, int64_t{4}));
  EXPECT_EQ(NextTile(), std::pair(int64_t{2}, int64_t{0}));
  EXPECT_EQ(NextTile(), std::pair(int64_t{2}, int64_t{4}));
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, OutlivesARestart) {
  const std::string job = service_.Submit(Growing(kStack));
  Record(0, 0, 0, 3);
  service_.Reopen();
  Analyse();
  EXPECT_FALSE(worker_.Take());
  service_.Reopen();
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 3, 4);
  service_.Reopen();
  EXPECT_EQ(NextTile().second, 0);
  Record(0, 0, 4, 12);
  EXPECT_EQ(NextTile().second, 4);
  EXPECT_EQ(NextTile().second, 8);
  service_.Reopen();
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

// The server dies when boxes are recorded, before the job has heard of them.
TEST_F(InputTest, WhatWasRecordedBeforeACrashIsSeenAfterIt) {
  const std::string job = service_.Submit(Growing(kStack));
  ASSERT_OK(service_.store().CommitBoxes(image_id(), {{PlanesOf(0, 0, 0, 4), ChunkOf(PlanesOf(0, 0, 0, 4)).crc32c()}}));
  EXPECT_FALSE(worker_.Take());
  service_.Reopen();
  Analyse();
  EXPECT_EQ(NextTile().second, 0);
  ASSERT_OK(
      service_.store().CommitBoxes(image_id(), {{PlanesOf(0, 0, 4, 12), ChunkOf(PlanesOf(0, 0, 4, 12)).crc32c()}}));
  EXPECT_FALSE(worker_.Take());
  service_.Reopen();
  EXPECT_EQ(NextTile().second, 4);
  EXPECT_EQ(NextTile().second, 8);
  ASSERT_OK(service_.store().CompleteVolume(image_id(), ""));
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  service_.Reopen();
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, APausedJobTakesNoteOfItsInput) {
  const std::string job = service_.Submit(Growing(kStack));
  Record(0, 0, 0, 4);
  Analyse();
  EXPECT_EQ(NextTile().second, 0);
  ASSERT_OK(service_.jobs().Pause(JobService::kOwner, job));
  Record(0, 0, 4, 8);
  EXPECT_FALSE(worker_.Take());
  EXPECT_EQ(service_.Get(job).progress().tasks_blocked(), 1U);
  service_.Reopen();
  Record(0, 0, 8, 12);
  ASSERT_OK(FinishImage());
  EXPECT_FALSE(worker_.Take());
  EXPECT_EQ(service_.Get(job).state(), v1::PAUSED);
  ASSERT_OK(service_.jobs().Resume(JobService::kOwner, job));
  EXPECT_EQ(NextTile().second, 4);
  EXPECT_EQ(NextTile().second, 8);
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, APausedJobEndsWithItsRecording) {
  const std::string job = service_.Submit(Growing(kStack));
  Record(0, 0, 0, 12);
  Analyse();
  while (NextTile().first >= 0) {
  }
  ASSERT_OK(service_.jobs().Pause(JobService::kOwner, job));
  ASSERT_OK(FinishImage());
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputTest, AWrongDigestFailsTheJob) {
  const std::string job = service_.Submit(Growing(kStack));
  Record(0, 0, 0, 12);
  Analyse();
  while (NextTile().first >= 0) {
  }
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  EXPECT_EQ(ReasonOf(FinishImage(std::string(32, 'x'))), v1::DIGEST_MISMATCH);
  const v1::Job failed = service_.Get(job);
  EXPECT_EQ(failed.state(), v1::FAILED);
  EXPECT_EQ(failed.error().info().reason(), v1::DIGEST_MISMATCH);
  EXPECT_TRUE(failed.outputs().empty());
}

TEST_F(InputTest, TheImageStaysUntilTheJobIsCancelled) {
  const std::string job = service_.Submit(Growing(kStack));
  Record(0, 0, 0, 5);
  EXPECT_EQ(ReasonOf(service_.volumes().Delete(image_id())), v1::VOLUME_IN_USE);
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, job));
  EXPECT_EQ(service_.Get(job).state(), v1::CANCELLED);
  Record(0, 0, 5, 6);
  EXPECT_OK(service_.volumes().Delete(image_id()));
}

TEST_F(InputTest, FirstPlanesAreEightUnlessTheJobSaysHowMany) {
  v1::JobSpec spec = Growing(kStack);
  spec.mutable_deconvolve()->clear_first_planes();
  const std::string job = service_.Submit(spec);
  EXPECT_EQ(service_.Get(job).spec().deconvolve().first_planes(), 8U);
  Record(0, 0, 0, 7);
  EXPECT_FALSE(worker_.Take());
  Record(0, 0, 7, 8);
  const std::optional<v1::Task> task = worker_.Take();
  ASSERT_TRUE(task && task->has_analyse());
  EXPECT_EQ(task->analyse().first_planes(), 8U);
}

TEST_F(InputTest, ACompleteImageIsLookedAtAsAWholeUnlessTheJobSaysOtherwise) {
  v1::JobSpec spec = service_.Deconvolve(kStack, {4, 8, 8});
  const std::string whole = service_.Submit(spec);
  EXPECT_EQ(worker_.Take()->analyse().first_planes(), 0U);
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, whole));
  spec.mutable_deconvolve()->set_first_planes(2);
  const std::string again = service_.Submit(spec);
  Analyse();
  while (NextTile().first >= 0) {
  }
  service_.CheckResult(service_.Get(again));
}

TEST_F(InputTest, WhatNeedsTheWholeImageIsRefused) {
  v1::JobSpec spec = Growing(kStack);
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  const auto refusals = [&] {
    std::vector<std::string> fields;
    const auto report = service_.jobs().Preflight(JobService::kOwner, spec);
    EXPECT_OK(report);
    for (const v1::Finding& finding : report->findings()) {
      if (finding.severity() != v1::REFUSAL) continue;
      EXPECT_EQ(finding.info().reason(), v1::NOT_STREAMABLE) << finding.message();
      EXPECT_THAT(finding.message(), HasSubstr("first 2 planes"));
      EXPECT_FALSE(finding.info().remedy().empty());
      fields.push_back(finding.info().field());
    }
    return fields;
  };
  EXPECT_TRUE(refusals().empty());
  (*work.mutable_parameters())["iterations"] = "auto";
  work.set_correct_bleaching(true);
  work.set_correct_flicker(true);
  work.set_correct_motion(true);
  work.set_estimate_gain(true);
  work.set_background_planes_auto(true);
  EXPECT_THAT(refusals(),
              ::testing::UnorderedElementsAre("deconvolve.parameters[\"iterations\"]", "deconvolve.correct_bleaching",
                                              "deconvolve.correct_flicker", "deconvolve.correct_motion",
                                              "deconvolve.estimate_gain", "deconvolve.background_planes_auto"));
  const absl::Status refused = service_.TrySubmit(spec).status();
  EXPECT_EQ(ReasonOf(refused), v1::NOT_STREAMABLE);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
}

TEST_F(InputTest, AMethodThatEstimatesThePsfIsRefused) {
  v1::Method blind = RlMethod();
  blind.set_name("blind");
  blind.set_estimates_psf(true);
  service_.capabilities().AddMethods({blind});
  v1::JobSpec spec = Growing(kStack);
  spec.mutable_deconvolve()->set_method("blind");
  EXPECT_EQ(ReasonOf(service_.TrySubmit(spec).status()), v1::NOT_STREAMABLE);
}

TEST_F(InputTest, OnlyTheImageMayStillBeWritten) {
  v1::JobSpec spec = Growing(kStack);
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 1, 1, 1}, v1::F32), false));
  EXPECT_EQ(ReasonOf(service_.TrySubmit(spec).status()), v1::VOLUME_INCOMPLETE);
  spec = Growing(kStack);
  const std::string other = service_.Submit(spec);
  spec.mutable_deconvolve()->set_input_volume(service_.Get(other).outputs(0).volume());
  EXPECT_EQ(ReasonOf(service_.TrySubmit(spec).status()), v1::VOLUME_INCOMPLETE) << "the result of another job";
}

TEST_F(InputTest, TellsTheBoxesThatAreDone) {
  const std::string job = service_.Submit(Growing(kStack));
  Record(0, 0, 0, 8);
  Analyse();
  EXPECT_EQ(NextTile().second, 0);
  ASSERT_OK_AND_ASSIGN(JobManager::Stand stand, service_.jobs().StandOf(JobService::kOwner, job, 0));
  ASSERT_EQ(stand.finished.size(), 1U);
  EXPECT_EQ(stand.finished[0].z(), 0U);
  EXPECT_EQ(stand.finished[0].size_z(), 4U);
  EXPECT_NEAR(stand.done_fraction, 1.0 / 3, 1e-12);
  EXPECT_NEAR(stand.result_gigavoxels, 12 * 64e-9, 1e-15);
  // One tile of 256 voxels and 10 iterations took half a second.
  EXPECT_NEAR(stand.seconds_per_gigavoxel, 0.5 / 256 * 1e9, 1);
  EXPECT_EQ(NextTile().second, 4);
  ASSERT_OK_AND_ASSIGN(stand, service_.jobs().StandOf(JobService::kOwner, job, 1));
  ASSERT_EQ(stand.finished.size(), 1U);
  EXPECT_EQ(stand.finished[0].z(), 4U);
  EXPECT_FALSE(stand.ended);
  EXPECT_EQ(ReasonOf(service_.jobs().StandOf("another", job, 0).status()), v1::NOT_FOUND);
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, job));
  ASSERT_OK_AND_ASSIGN(stand, service_.jobs().StandOf(JobService::kOwner, job, 0));
  EXPECT_TRUE(stand.ended);
}

}  // namespace
}  // namespace deconvoy::server
