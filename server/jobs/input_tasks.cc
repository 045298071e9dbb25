#include "server/jobs/input_tasks.h"

#include <algorithm>

#include "proto/contract/deconvolution.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/task_builder.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

const v1::VolumeSpec& InputOf(const LiveJob& job) {
  return job.volume(VolumeId(job.spec().deconvolve().input_volume(), "volume").value());
}

bool JoinsChannels(const LiveJob& job) {
  return ResultOf(job).shape().c() < InputOf(job).shape().c();
}

}  // namespace

bool IsGrowing(const v1::JobSpec& spec) {
  return spec.deconvolve().first_planes() > 0;
}

int64_t FirstPlanes(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input) {
  return std::min(spec.first_planes(), input.shape().z());
}

bool AnalysisHasInput(const LiveJob& job) {
  const InputArrival* input = job.input();
  if (input == nullptr) return true;
  const v1::VolumeSpec& volume = InputOf(job);
  const int64_t planes = FirstPlanes(job.spec().deconvolve(), volume);
  for (int64_t c = 0; c < int64_t{volume.shape().c()}; ++c) {
    if (!input->Has(0, c, 0, planes)) return false;
  }
  return true;
}

bool TileHasInput(const LiveJob& job, const TilePlan& plan, int64_t t, int64_t c, int64_t tile) {
  const InputArrival* input = job.input();
  if (input == nullptr) return true;
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  const v1::VolumeSpec& volume = InputOf(job);
  const Box3 loaded = plan.At(tile, FrameOf(OnResultGrid(spec, volume)), ResultBox(spec, volume)).loaded;
  const Box3 read = MeasuredPlanes(loaded, AxialUpsample(spec));
  const bool joined = JoinsChannels(job);
  const int64_t last = joined ? int64_t{volume.shape().c()} : c + 1;
  for (int64_t channel = joined ? 0 : c; channel < last; ++channel) {
    if (!input->Has(t, channel, read.origin.z, read.end().z)) return false;
  }
  return true;
}

absl::Status UnblockAnalysis(JobStep& step) {
  const LiveJob& job = step.live();
  if (!job.has_task(0) || job.task(0).state != TaskState::kBlocked || job.task(0).kind != TaskKind::kAnalyse) {
    return absl::OkStatus();
  }
  return AnalysisHasInput(job) ? step.MoveTask(job.RecordOf(0), TaskState::kReady) : absl::OkStatus();
}

absl::Status UnblockTiles(JobStep& step, const Frames& frames, bool previous_done) {
  const LiveJob& job = step.live();
  if (!job.plan() || job.task_count() == job.first_tile()) return absl::OkStatus();
  const TilePlan& plan = job.plan()->tiles;
  const bool joined = JoinsChannels(job), chained = StartsFromPrevious(job.spec());
  const auto channels = int64_t{ResultOf(job).shape().c()};
  const int64_t layer = plan.grid.y * plan.grid.x;  // tiles that read the same planes
  Frames results;
  for (const auto& [t, c] : frames) results.emplace(t, joined ? 0 : c);
  for (const auto& [t, c] : results) {
    if (chained && t > 0 && !previous_done && job.OpenTiles(t - 1, c) > 0) continue;
    const int64_t first = job.first_tile() + (t * channels + c) * plan.tiles();
    for (int64_t tile = 0; tile < plan.tiles(); tile += layer) {
      if (job.task(first + tile).state != TaskState::kBlocked || !TileHasInput(job, plan, t, c, tile)) continue;
      for (int64_t i = tile; i < tile + layer; ++i) {
        RETURN_IF_ERROR(step.MoveTask(job.RecordOf(first + i), TaskState::kReady));
      }
    }
  }
  return absl::OkStatus();
}

Frames AllFrames(const LiveJob& job) {
  Frames frames;
  const v1::Shape5& result = ResultOf(job).shape();
  for (int64_t t = 0; t < int64_t{result.t()}; ++t) {
    for (int64_t c = 0; c < int64_t{result.c()}; ++c) frames.emplace(t, c);
  }
  return frames;
}

}  // namespace deconvoy::server
