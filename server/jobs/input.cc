// JobManager: jobs on volumes that are still being written, and how far a job is for who brings its input.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_state.h"
#include "server/jobs/job_step.h"
#include "server/jobs/live_job.h"
#include "server/jobs/task_builder.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

std::string InputId(const LiveJob& job) {
  return VolumeId(job.spec().deconvolve().input_volume(), "volume").value();
}

std::vector<FrameBox> PlacesOf(const std::vector<CommittedBox>& boxes) {
  std::vector<FrameBox> places;
  places.reserve(boxes.size());
  for (const CommittedBox& box : boxes) places.push_back(box.box);
  return places;
}

}  // namespace

// News may come from the first line on; they wait for the job's turn, and what is told twice counts once.
absl::Status JobManager::FollowInput(LiveJob& job) {
  const std::string id = InputId(job);
  watcher_->Follow(id);
  {
    std::lock_guard lock(mutex_);
    job.FollowInput(InputArrival(job.volume(id).shape()));
  }
  ASSIGN_OR_RETURN(const VolumeRecord record, store_.GetVolume(id));
  const v1::Shape5& shape = record.spec.shape();
  InputArrival input(shape);
  if (record.state == v1::COMPLETE) {
    input.Complete();
  } else if (record.committed_bytes > 0) {
    for (int64_t t = 0; t < int64_t{shape.t()}; ++t) {
      for (int64_t c = 0; c < int64_t{shape.c()}; ++c) {
        ASSIGN_OR_RETURN(const std::vector<CommittedBox> boxes, store_.GetBoxes(id, t, c));
        input.Add(PlacesOf(boxes));
      }
    }
  }
  std::lock_guard lock(mutex_);
  job.FollowInput(std::move(input));
  return absl::OkStatus();
}

void JobManager::ForgetInput(const LiveJob& job) {
  if (job.follows_input()) watcher_->Forget(InputId(job));
}

bool JobManager::TakeNews(const InputNews& news) {
  std::vector<std::shared_ptr<LiveJob>> jobs;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, job] : live_) {
      if (job->follows_input() && InputId(*job) == news.volume_id) jobs.push_back(job);
    }
  }
  bool store_fails = false;
  for (const std::shared_ptr<LiveJob>& job : jobs) {
    std::lock_guard turn(job->turn);
    if (FindLive(job->id()) != job) continue;
    const absl::Status taken = TakeNewsFor(*job, news);
    const v1::ErrorReason reason = ReasonOf(taken);
    store_fails = store_fails || reason == v1::STORAGE_FAILURE || reason == v1::DISK_FULL;
    if (taken.ok() || input_waits_) continue;
    spdlog::error("{}: what came of its input: {}", JobName(job->id()), LogText(taken));
  }
  input_waits_ = store_fails;
  return !store_fails;
}

absl::Status JobManager::TakeNewsFor(LiveJob& job, const InputNews& news) {
  if (!news.refused.ok()) {
    JobStep step(job, clock_.Wall());
    RETURN_IF_ERROR(step.FailJob(news.refused, ""));
    return Finish(job, std::move(step));
  }
  Frames frames;
  {
    std::lock_guard lock(mutex_);
    job.mutable_input()->Add(news.boxes);
    if (news.complete) job.mutable_input()->Complete();
    job.NoteInput();
  }
  changed_.notify_all();
  for (const FrameBox& box : news.boxes) frames.emplace(box.t, box.c);
  return TakeInputOf(job, news.complete ? AllFrames(job) : frames);
}

absl::Status JobManager::TakeInputOf(LiveJob& job, const Frames& frames) {
  JobStep step(job, clock_.Wall());
  RETURN_IF_ERROR(TakeInput(step, frames));
  if (step.change.changed_tasks.empty() && step.change.events.empty()) return absl::OkStatus();
  return Finish(job, std::move(step));
}

void JobManager::TakeFirstInput(LiveJob& job) {
  const absl::Status taken = TakeInputOf(job, AllFrames(job));
  if (taken.ok()) return;
  spdlog::error("{}: what there is of its input: {}", JobName(job.id()), LogText(taken));
  watcher_->LookAgain(InputId(job));
}

absl::StatusOr<JobManager::Stand> JobManager::StandOf(const std::string& owner, const std::string& job_id,
                                                      size_t known) {
  Stand stand;
  const std::shared_ptr<LiveJob> job = FindLive(job_id);
  if (job == nullptr) {
    RETURN_IF_ERROR(FindStored(owner, job_id).status());
    stand.ended = true;
    return stand;
  }
  std::lock_guard lock(mutex_);
  if (job->record().owner != owner) return JobNotFound(job_id);
  stand.ended = IsEnd(job->record().state);
  if (!job->plan() || stand.ended) return stand;
  const v1::VolumeSpec& result = ResultOf(*job);
  const std::vector<int64_t>& done = job->done_tiles();
  for (size_t i = known; i < done.size(); ++i) stand.finished.push_back(OutputsOf(*job, done[i]).front().box());
  const double frames = static_cast<double>(result.shape().t()) * result.shape().c();
  stand.done_fraction = static_cast<double>(done.size()) / (frames * static_cast<double>(job->plan()->tiles.tiles()));
  stand.result_gigavoxels = frames * static_cast<double>(FrameOf(result).voxels()) / 1e9;
  const double rate = job->record().job.progress().megavoxels_per_second();
  if (rate > 0) {
    const auto iterations = static_cast<double>(IterationsOf(job->spec().deconvolve()));
    stand.seconds_per_gigavoxel = 1000 * iterations / rate;
  }
  return stand;
}

}  // namespace deconvoy::server
