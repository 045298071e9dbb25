#include "server/jobs/job_manager.h"

#include <atomic>
#include <functional>
#include <thread>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class JobManagerTest : public ::testing::Test {
 protected:
  // A job of 2 time points and 2 channels, cut into 2 tiles: one analysis and 8 tiles.
  v1::JobSpec Spec(const std::string& initial = "mean") {
    return service_.Deconvolve({2, 2, 2, 8, 4}, {2, 4, 4}, initial);
  }
  std::map<TaskState, int> StatesOf(const std::string& job) {
    auto tasks = service_.store().GetTasks(job);
    EXPECT_OK(tasks);
    std::map<TaskState, int> states;
    for (const TaskRecord& task : *tasks) ++states[task.state];
    return states;
  }

  JobService service_;
  TestWorker worker_{service_, "w1"};
};

// --- Users ---

TEST_F(JobManagerTest, ADeconvolutionRunsFromSubmitToItsResult) {
  const std::string job = service_.Submit(Spec());
  v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.state(), v1::PENDING);
  EXPECT_EQ(shown.progress().tasks_total(), 9U);
  EXPECT_EQ(shown.outputs(0).role(), "estimate");
  EXPECT_FALSE(shown.has_start_time());

  EXPECT_EQ(worker_.WorkOff(), 9);
  shown = service_.Get(job);
  service_.CheckResult(shown);
  EXPECT_EQ(shown.progress().tasks_done(), 9U);
  EXPECT_EQ(shown.progress().fraction(), 1);
  EXPECT_EQ(shown.result().sum(), 8) << "of all tiles";
  EXPECT_EQ(shown.frames_size(), 4);
  EXPECT_EQ(shown.psfs_size(), 1);
  ASSERT_OK_AND_ASSIGN(const v1::ListJobsResponse list, service_.jobs().List(JobService::kOwner, {}));
  EXPECT_EQ(list.jobs(0).frames_size() + list.jobs(0).psfs_size() + list.jobs(0).findings_size(), 0)
      << "a list of many jobs stays small";
  EXPECT_TRUE(shown.has_start_time());
  EXPECT_TRUE(shown.has_end_time());
  EXPECT_DOUBLE_EQ(shown.progress().megavoxels_per_second(), 2 * 4 * 4 * 10 / 0.5 / 1e6);
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
}

TEST_F(JobManagerTest, SimulationsAndProjectionsRunToo) {
  const std::string simulation = service_.Submit(service_.Simulate());
  EXPECT_EQ(worker_.WorkOff(), 1);
  const v1::Job simulated = service_.Get(simulation);
  ASSERT_EQ(simulated.state(), v1::SUCCEEDED) << simulated.ShortDebugString();
  ASSERT_EQ(simulated.outputs_size(), 3);
  EXPECT_EQ(simulated.outputs(2).role(), "raw");

  v1::JobSpec spec;
  spec.mutable_project()->set_input_volume(service_.AddVolume(MakeSpec({3, 2, 4, 5, 6})));
  spec.mutable_project()->set_axis(v1::ProjectSpec::Z);
  const std::string projection = service_.Submit(spec);
  EXPECT_EQ(worker_.WorkOff(), 6) << "one task for each frame";
  service_.CheckResult(service_.Get(projection));
}

TEST_F(JobManagerTest, TheSameRequestIsAnsweredAlike) {
  const v1::JobSpec spec = Spec();
  ASSERT_OK_AND_ASSIGN(const v1::Job first, service_.TrySubmit(spec, "id"));
  const size_t volumes = service_.CountVolumes();
  ASSERT_OK_AND_ASSIGN(const v1::Job again, service_.TrySubmit(spec, "id"));
  EXPECT_EQ(again.name(), first.name());
  EXPECT_EQ(service_.CountVolumes(), volumes);
  v1::JobSpec other = spec;
  other.set_display_name("other");
  EXPECT_EQ(ReasonOf(service_.TrySubmit(other, "id").status()), v1::REQUEST_ID_REUSED);
  service_.Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Job later, service_.TrySubmit(spec, "id"));
  EXPECT_EQ(later.name(), first.name());
}

TEST_F(JobManagerTest, OthersSeeNothing) {
  const std::string job = service_.Submit(Spec());
  JobManager& jobs = service_.jobs();
  EXPECT_EQ(ReasonOf(jobs.Get("eve", job).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(jobs.Cancel("eve", job).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(jobs.Delete("eve", job)), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(jobs.Watch(
                "eve", job, 0, [](const auto&) { return true; }, kNobodyLeft)),
            v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const v1::ListJobsResponse list, jobs.List("eve", {}));
  EXPECT_EQ(list.jobs_size(), 0);
  EXPECT_EQ(service_.Get(job).state(), v1::PENDING);
}

TEST_F(JobManagerTest, ListsNewestFirstWithLiveProgress) {
  const std::string first = service_.Submit(Spec());
  service_.clock.Advance(std::chrono::seconds(1));
  const std::string second = service_.Submit(Spec());
  const std::optional<v1::Task> task = worker_.Take();
  ASSERT_TRUE(task);
  ASSERT_TRUE(worker_.Continue(*task, 5));
  v1::ListJobsRequest request;
  request.set_page_size(1);
  ASSERT_OK_AND_ASSIGN(v1::ListJobsResponse list, service_.jobs().List(JobService::kOwner, request));
  ASSERT_EQ(list.jobs_size(), 1);
  EXPECT_EQ(list.jobs(0).name(), JobName(second));
  request.set_page_token(list.next_page_token());
  ASSERT_OK_AND_ASSIGN(list, service_.jobs().List(JobService::kOwner, request));
  EXPECT_EQ(list.jobs(0).name(), JobName(first));
  EXPECT_EQ(list.jobs(0).progress().iteration(), 5U);
  EXPECT_EQ(list.jobs(0).progress().activity(), "analyse");
}

TEST_F(JobManagerTest, CancellingLeavesNothingBehind) {
  const v1::JobSpec spec = Spec();
  const size_t volumes = service_.CountVolumes();
  const std::string job = service_.Submit(spec);
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  const std::optional<v1::Task> running = worker_.Take();
  ASSERT_TRUE(running);
  ASSERT_OK_AND_ASSIGN(const v1::Job cancelled, service_.jobs().Cancel(JobService::kOwner, job));
  EXPECT_EQ(cancelled.state(), v1::CANCELLED);
  EXPECT_EQ(cancelled.outputs_size(), 0);
  EXPECT_EQ(service_.CountVolumes(), volumes);
  EXPECT_EQ(StatesOf(job), (std::map<TaskState, int>{{TaskState::kDone, 1}, {TaskState::kCancelled, 8}}));
  EXPECT_EQ(ReasonOf(worker_.Deliver(*running)), v1::STALE_LEASE);
  EXPECT_FALSE(worker_.Continue(*running)) << "the worker is told to stop";
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
  EXPECT_FALSE(worker_.Take());
  ASSERT_OK_AND_ASSIGN(const v1::Job again, service_.jobs().Cancel(JobService::kOwner, job));
  EXPECT_EQ(again.state(), v1::CANCELLED) << "cancelling twice changes nothing";
}

TEST_F(JobManagerTest, OnlyEndedJobsAreDeleted) {
  const std::string job = service_.Submit(Spec());
  EXPECT_EQ(ReasonOf(service_.jobs().Delete(JobService::kOwner, job)), v1::JOB_NOT_ENDED);
  worker_.WorkOff();
  const size_t volumes = service_.CountVolumes();
  EXPECT_OK(service_.jobs().Delete(JobService::kOwner, job));
  EXPECT_EQ(ReasonOf(service_.jobs().Get(JobService::kOwner, job).status()), v1::NOT_FOUND);
  EXPECT_EQ(service_.CountVolumes(), volumes) << "its volumes stay";
}

TEST_F(JobManagerTest, AVolumeInUseCannotBeDeleted) {
  const v1::JobSpec spec = Spec();
  const std::string job = service_.Submit(spec);
  const std::string input = VolumeId(spec.deconvolve().input_volume(), "").value();
  EXPECT_EQ(ReasonOf(service_.volumes().Delete(input)), v1::VOLUME_IN_USE);
  worker_.WorkOff();
  EXPECT_OK(service_.volumes().Delete(input));
}

TEST_F(JobManagerTest, AnInputIsFreedOnlyAfterTheLastJobThatUsesIt) {
  const v1::JobSpec spec = Spec();
  const std::string first = service_.Submit(spec);
  worker_.WorkOff();
  const std::string second = service_.Submit(spec);
  ASSERT_OK(service_.jobs().Delete(JobService::kOwner, first));
  for (const std::string& name : {spec.deconvolve().input_volume(), spec.deconvolve().psf_volume()}) {
    const absl::Status refused = service_.volumes().Delete(VolumeId(name, "").value());
    EXPECT_EQ(ReasonOf(refused), v1::VOLUME_IN_USE);
    EXPECT_THAT(std::string(refused.message()), HasSubstr(JobName(second)));
    EXPECT_THAT(InfoOf(refused).remedy(), HasSubstr("Wait"));
  }
  worker_.WorkOff();
  service_.CheckResult(service_.Get(second));
  for (const std::string& name : {spec.deconvolve().input_volume(), spec.deconvolve().psf_volume()}) {
    EXPECT_OK(service_.volumes().Delete(VolumeId(name, "").value()));
  }
  service_.CheckResult(service_.Get(second));
}

// --- Tasks ---

TEST_F(JobManagerTest, TilesCarryWhatTheAnalysisFound) {
  service_.Submit(Spec());
  const v1::Task analysis = *worker_.Take();
  ASSERT_TRUE(analysis.has_analyse());
  EXPECT_EQ(analysis.inputs_size(), 2);
  EXPECT_EQ(analysis.outputs_size(), 0);
  EXPECT_FALSE(worker_.Take()) << "tiles wait for it";
  ASSERT_OK(worker_.Deliver(analysis));
  std::vector<v1::Task> tiles;
  while (std::optional<v1::Task> task = worker_.Take()) tiles.push_back(*task);
  ASSERT_EQ(tiles.size(), 8U);
  for (size_t i = 0; i < tiles.size(); ++i) {
    const v1::TileTask& tile = tiles[i].tile();
    EXPECT_EQ(tile.frames(0).mean(), static_cast<double>(i / 2)) << "of its own frame";
    EXPECT_EQ(tile.core().t() * 2 + tile.core().c(), i / 2);
    EXPECT_EQ(tile.spec().parameters().at("iterations"), "10") << "every default is filled in";
    EXPECT_EQ(tiles[i].outputs(0).box().ShortDebugString(), tile.core().ShortDebugString());
    EXPECT_EQ(tile.psfs(0).crop_shape().x(), 1);
  }
}

TEST_F(JobManagerTest, AFrameThatStartsFromThePreviousOneWaitsForAllItsTiles) {
  const std::string job = service_.Submit(Spec("previous"));
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  EXPECT_EQ(StatesOf(job)[TaskState::kBlocked], 4);
  std::vector<v1::Task> first;
  while (std::optional<v1::Task> task = worker_.Take()) first.push_back(*task);
  ASSERT_EQ(first.size(), 4U) << "both tiles of both channels of t = 0";
  for (const v1::Task& task : first) EXPECT_TRUE(task.tile().previous_volume().empty());
  ASSERT_OK(worker_.Deliver(first[0]));
  EXPECT_FALSE(worker_.Take()) << "one tile of (0,0) is missing";
  service_.Reopen();
  for (int i = 0; i < 3; ++i) first[static_cast<size_t>(i)] = *worker_.Take();
  EXPECT_FALSE(worker_.Take());
  ASSERT_OK(worker_.Deliver(first[0]));
  for (int i = 0; i < 2; ++i) {
    const std::optional<v1::Task> next = worker_.Take();
    ASSERT_TRUE(next) << "(0,0) is complete";
    EXPECT_EQ(next->tile().core().t(), 1U);
    EXPECT_EQ(next->tile().core().c(), 0U) << "the other channel is not";
    EXPECT_EQ(next->tile().previous_volume(), next->outputs(0).volume());
    EXPECT_EQ(next->inputs(2).volume(), next->tile().previous_volume());
    ASSERT_OK(worker_.Deliver(*next));
  }
  ASSERT_OK(worker_.Deliver(first[1]));
  ASSERT_OK(worker_.Deliver(first[2]));
  EXPECT_EQ(worker_.WorkOff(), 2);
  service_.CheckResult(service_.Get(job));
}

TEST_F(JobManagerTest, APlanThatFitsNowhereFailsTheJob) {
  const v1::JobSpec spec = Spec();
  const std::string job = service_.Submit(spec);
  worker_.registration.set_memory_budget_bytes(300);
  const v1::Task analysis = *worker_.Take();
  ASSERT_OK(worker_.Deliver(analysis));
  const v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.state(), v1::FAILED);
  EXPECT_EQ(shown.error().info().reason(), v1::OUT_OF_MEMORY);
  EXPECT_EQ(shown.outputs_size(), 0);
}

TEST_F(JobManagerTest, AResultOfAnotherKindIsRefused) {
  service_.Submit(Spec());
  const v1::Task analysis = *worker_.Take();
  v1::TaskResult wrong;
  wrong.mutable_tile();
  EXPECT_EQ(ReasonOf(worker_.Deliver(analysis, wrong, "")), v1::INVALID_FIELD);
  service_.Advance(absl::Seconds(1));
  const std::optional<v1::Task> again = worker_.Take();
  ASSERT_TRUE(again) << "it counts as a failed attempt";
  std::string bytes;
  v1::TaskResult incomplete = ResultOf(*again, &bytes);
  incomplete.mutable_analyse()->mutable_frames()->RemoveLast();
  EXPECT_EQ(ReasonOf(worker_.Deliver(*again, incomplete, "")), v1::INVALID_FIELD);
  service_.Advance(absl::Seconds(2));
  const v1::Task third = *worker_.Take();
  v1::TaskResult outside = ResultOf(third, &bytes);
  outside.mutable_analyse()->mutable_psfs(0)->mutable_crop_shape()->set_x(2);
  EXPECT_EQ(ReasonOf(worker_.Deliver(third, outside, "")), v1::INVALID_FIELD);
}

// Judged over all tiles: one that is dark alone is fine.
TEST_F(JobManagerTest, ABlackResultFailsTheJobAndADarkOneIsWarnedOf) {
  const auto run = [this](double brightest) {
    const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4}));
    const v1::Task analysis = *worker_.Take();
    std::string bytes;
    v1::TaskResult light = ResultOf(analysis, &bytes);
    light.mutable_analyse()->mutable_frames(0)->set_maximum(0.4);
    EXPECT_OK(worker_.Deliver(analysis, light, bytes));
    for (const double maximum : {0.0, brightest}) {
      const v1::Task tile = *worker_.Take();
      bytes.clear();
      v1::TaskResult result = ResultOf(tile, &bytes);
      result.mutable_tile()->mutable_statistics()->set_maximum(maximum);
      EXPECT_OK(worker_.Deliver(tile, result, bytes));
    }
    return service_.Get(job);
  };
  const size_t volumes = service_.CountVolumes();
  const v1::Job black = run(0.4), dark = run(4);
  EXPECT_EQ(black.state(), v1::FAILED);
  EXPECT_EQ(black.error().info().reason(), v1::INVALID_FIELD);
  EXPECT_EQ(black.error().info().field(), "deconvolve.output_type");
  EXPECT_EQ(black.outputs_size(), 0);
  EXPECT_EQ(dark.state(), v1::SUCCEEDED);
  EXPECT_THAT(dark.findings(dark.findings_size() - 1).message(), HasSubstr("lost to rounding"));
  EXPECT_EQ(service_.CountVolumes(), volumes + 2 * 2 + 1) << "two inputs for each, and one result";
}

TEST_F(JobManagerTest, ClippingOfASimulationIsSaid) {
  const std::string job = service_.Submit(service_.Simulate());
  const v1::Task task = *worker_.Take();
  std::string bytes;
  v1::TaskResult result = ResultOf(task, &bytes);
  result.mutable_simulate()->set_clipped_voxels(7);
  ASSERT_OK(worker_.Deliver(task, result, bytes));
  const v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.state(), v1::SUCCEEDED);
  ASSERT_GE(shown.findings_size(), 1);
  const v1::Finding& last = shown.findings(shown.findings_size() - 1);
  EXPECT_EQ(last.severity(), v1::WARNING);
  EXPECT_THAT(last.message(), HasSubstr("7 voxels of the image did not fit into U16"));
}

TEST_F(JobManagerTest, ClippingIsSaid) {
  const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4}));
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  const v1::Task tile = *worker_.Take();
  std::string bytes;
  v1::TaskResult result = ResultOf(tile, &bytes);
  result.mutable_tile()->mutable_statistics()->set_clipped_voxels(3);
  ASSERT_OK(worker_.Deliver(tile, result, bytes));
  const v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.result().clipped_voxels(), 3U);
  EXPECT_THAT(shown.findings(shown.findings_size() - 1).message(), HasSubstr("3 voxels"));
}

// --- Failures ---

TEST_F(JobManagerTest, ATaskIsTriedFourTimesWithGrowingPauses) {
  const std::string job = service_.Submit(Spec());
  const absl::Status error = MakeError({.reason = v1::BAD_OUTPUT}, "only zeros");
  for (const absl::Duration pause : {absl::Seconds(1), absl::Seconds(2), absl::Seconds(4)}) {
    const std::optional<v1::Task> task = worker_.Take();
    ASSERT_TRUE(task);
    worker_.GiveUp(*task, error);
    service_.Advance(pause - absl::Milliseconds(1));
    EXPECT_FALSE(worker_.Take()) << pause;
    service_.Advance(absl::Milliseconds(1));
  }
  const std::optional<v1::Task> last = worker_.Take();
  ASSERT_TRUE(last);
  worker_.GiveUp(*last, error, true, "the worker's last words");
  const v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.state(), v1::FAILED);
  EXPECT_EQ(shown.error().info().reason(), v1::ATTEMPTS_EXHAUSTED);
  EXPECT_EQ(shown.error().info().metadata().at("last_reason"), "BAD_OUTPUT");
  EXPECT_THAT(shown.error().message(), HasSubstr("only zeros"));
  EXPECT_EQ(shown.worker_log(), "the worker's last words");
}

TEST_F(JobManagerTest, WhatNoRetryCanCureFailsAtOnce) {
  const v1::JobSpec spec = Spec();
  const size_t volumes = service_.CountVolumes();
  const std::string job = service_.Submit(spec);
  worker_.GiveUp(*worker_.Take(), MakeError({.reason = v1::NOT_FINITE_INPUT}, "NaN at 0,0,1"), false);
  const v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.state(), v1::FAILED);
  EXPECT_EQ(shown.error().info().reason(), v1::NOT_FINITE_INPUT);
  EXPECT_EQ(shown.error().message(), "NaN at 0,0,1");
  EXPECT_EQ(service_.CountVolumes(), volumes);
  EXPECT_EQ(StatesOf(job), (std::map<TaskState, int>{{TaskState::kFailed, 1}}));
  service_.Advance(absl::Hours(1));
  EXPECT_FALSE(worker_.Take()) << "it is never tried again";
  for (const v1::JobEvent& event : service_.WatchAll(job)) EXPECT_FALSE(event.has_retry());
}

TEST_F(JobManagerTest, LostLeasesHaveACapOfTheirOwn) {
  JobService service(JobService::DefaultOptions(), {.failure_cap = 2, .loss_cap = 5});
  TestWorker worker(service, "w1");
  const std::string job = service.Submit(service.Deconvolve({1, 1, 2, 4, 4}, {2, 4, 4}));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(worker.Take()) << i;
    EXPECT_EQ(service.Get(job).state(), v1::RUNNING);
    service.Advance(absl::Seconds(11));
  }
  const v1::Job shown = service.Get(job);
  EXPECT_EQ(shown.state(), v1::FAILED);
  EXPECT_EQ(shown.error().info().reason(), v1::ATTEMPTS_EXHAUSTED);
}

// --- Recovery ---

TEST_F(JobManagerTest, AJobGoesOnAfterACrashAtEveryStep) {
  const std::string job = service_.Submit(Spec());
  int done = 0;
  for (int step = 0; service_.Get(job).state() != v1::SUCCEEDED; ++step) {
    ASSERT_LT(step, 100);
    service_.Reopen();
    std::optional<v1::Task> task = worker_.Take();
    ASSERT_TRUE(task);
    const v1::Task lost = *task;
    service_.Reopen();
    EXPECT_FALSE(worker_.Continue(lost)) << "the lease did not survive";
    EXPECT_EQ(ReasonOf(worker_.Deliver(lost)), v1::STALE_LEASE);
    task = worker_.Take();
    ASSERT_TRUE(task);
    EXPECT_EQ(task->name(), lost.name());
    EXPECT_GT(task->token(), lost.token());
    ASSERT_OK(worker_.Deliver(*task));
    ++done;
  }
  EXPECT_EQ(done, 9);
  service_.CheckResult(service_.Get(job));
  ASSERT_OK_AND_ASSIGN(const std::vector<TaskRecord> tasks, service_.store().GetTasks(job));
  for (const TaskRecord& task : tasks) {
    EXPECT_EQ(task.losses, 1);
    EXPECT_EQ(task.failures, 0);
  }
}

TEST_F(JobManagerTest, ABackoffSurvivesACrash) {
  service_.Submit(Spec());
  worker_.GiveUp(*worker_.Take(), absl::InternalError("broken"));
  service_.Reopen();
  EXPECT_FALSE(worker_.Take());
  service_.Advance(absl::Seconds(1));
  EXPECT_TRUE(worker_.Take());
}

TEST_F(JobManagerTest, ABackoffDoesNotGrowWhenTheClockIsSetBack) {
  service_.Submit(Spec());
  worker_.GiveUp(*worker_.Take(), absl::InternalError("broken"));
  service_.clock.SetWall(-std::chrono::hours(24));
  service_.Reopen();
  EXPECT_FALSE(worker_.Take());
  service_.Advance(absl::Minutes(1));
  EXPECT_TRUE(worker_.Take());
}

void ExpectWrongFacts(JobService& service, TestWorker& worker, const std::function<void(v1::AnalyseResult&)>& spoil) {
  service.Advance(absl::Seconds(60));
  const std::optional<v1::Task> task = worker.Take();
  ASSERT_TRUE(task);
  std::string bytes;
  v1::TaskResult wrong = ResultOf(*task, &bytes);
  spoil(*wrong.mutable_analyse());
  EXPECT_EQ(ReasonOf(worker.Deliver(*task, wrong, "")), v1::INVALID_FIELD);
}

TEST_F(JobManagerTest, FactsThatNoCameraHasAreRefused) {
  service_.Submit(Spec());
  ExpectWrongFacts(service_, worker_, [](v1::AnalyseResult& result) { result.clear_channels(); });
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_channels(0)->set_gain_photons_per_count(0); });
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_channels(0)->add_bad_pixels(1 << 30); });
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_frames(0)->add_plane_light(0); });
}

TEST_F(JobManagerTest, FactsWithoutFramesAreRefused) {
  service_.Submit(Spec());
  ExpectWrongFacts(service_, worker_, [](v1::AnalyseResult& result) { result.clear_frames(); });
}

TEST_F(JobManagerTest, BackgroundsThatNoFrameHasAreRefused) {
  service_.Submit(Spec());
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_frames(0)->add_plane_background(0); });
  ExpectWrongFacts(service_, worker_, [](auto& result) {
    const int planes = 4;
    for (int z = 0; z < planes; ++z) result.mutable_frames(0)->add_plane_background(1e6F);
  });
}

TEST_F(JobManagerTest, MotionThatWasNotAskedForIsRefused) {
  service_.Submit(Spec());
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_frames(0)->set_shift_z(1); });
}

TEST_F(JobManagerTest, MotionThatNoFrameHasIsRefused) {
  v1::JobSpec spec = Spec();
  spec.mutable_deconvolve()->set_correct_motion(true);
  service_.Submit(spec);
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_frames(0)->set_shift_z(1 << 30); });
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_frames(0)->add_plane_shift_y(1); });
  ExpectWrongFacts(service_, worker_, [](auto& result) { result.mutable_frames(0)->add_plane_shift_x(1); });
  ExpectWrongFacts(service_, worker_, [](auto& result) {
    for (const int32_t shift : {0, -9}) result.mutable_frames(0)->add_plane_shift_y(shift);
  });
}

TEST_F(JobManagerTest, AJobTellsWhatWasFoundOfItsCameras) {
  const std::string job = service_.Submit(Spec());
  const v1::Task analysis = *worker_.Take();
  std::string bytes;
  v1::TaskResult result = ResultOf(analysis, &bytes);
  result.mutable_analyse()->mutable_channels(0)->add_bad_pixels(1);
  EXPECT_OK(worker_.Deliver(analysis, result, bytes));
  const v1::Task tile = *worker_.Take();
  ASSERT_EQ(tile.tile().channels_size(), 1);
  EXPECT_EQ(tile.tile().channels(0).bad_pixels(0), 1U);
  const v1::Job shown = service_.Get(job);
  ASSERT_EQ(shown.channels_size(), 2);
  EXPECT_EQ(shown.channels(0).bad_pixels_size(), 1);
  EXPECT_EQ(shown.channels(1).gain_photons_per_count(), 2);
}

}  // namespace
}  // namespace deconvoy::server
