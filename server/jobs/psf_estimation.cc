#include "server/jobs/psf_estimation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::server {
namespace {

absl::Status WrongEstimate(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result.estimate_psf"}, what);
}

const v1::Shape5& ShapeOf(const LiveJob& job, const std::string& volume) {
  return job.volume(VolumeId(volume, "volume").value()).shape();
}

// What the analysis found of the given PSF of a channel.
const v1::PsfReport& GivenPsf(const LiveJob& job, int64_t channel) {
  const auto channels = static_cast<int64_t>(ShapeOf(job, job.spec().deconvolve().psf_volume()).c());
  return job.plan()->analysis.psfs(static_cast<int>(channels == 1 ? 0 : channel));
}

int64_t MiddleTile(const TilePlan& tiles) {
  const Shape3& grid = tiles.grid;
  return (grid.z / 2 * grid.y + grid.y / 2) * grid.x + grid.x / 2;
}

bool SameBox(const v1::PsfReport& a, const v1::PsfReport& b) {
  return ToVoxel(a.crop_origin()) == ToVoxel(b.crop_origin()) && ToShape3(a.crop_shape()) == ToShape3(b.crop_shape()) &&
         ToVoxel(a.centre()) == ToVoxel(b.centre());
}

bool AreNumbers(const v1::PsfEstimate& estimate) {
  const v1::PsfReport& psf = estimate.psf();
  const bool spreads = std::isfinite(psf.spread_z() + psf.spread_y() + psf.spread_x());
  return spreads && psf.sum() > 0 && std::isfinite(psf.sum()) &&
         std::all_of(estimate.objective().begin(), estimate.objective().end(), [](const auto& round) {
           return std::isfinite(round.value() + round.residual_squares() + round.data_squares());
         });
}

}  // namespace

int PsfOutputOf(const v1::Job& job) {
  if (!job.spec().has_deconvolve()) return -1;
  for (int i = 0; i < job.outputs_size(); ++i) {
    if (job.outputs(i).role() == "psf") return i;
  }
  return -1;
}

std::vector<TaskRecord> PsfEstimationTasks(const LiveJob& job, const TilePlan& tiles, int64_t first) {
  std::vector<TaskRecord> tasks;
  if (PsfOutputOf(job.record().job) < 0) return tasks;
  const v1::Shape5& shape = ShapeOf(job, job.spec().deconvolve().input_volume());
  for (int64_t c = 0; c < shape.c(); ++c) {
    TaskRecord& task = tasks.emplace_back();
    task.job_id = job.id();
    task.number = first++;
    task.kind = TaskKind::kEstimatePsf;
    task.state = TaskState::kReady;
    task.t = shape.t() / 2;
    task.c = c;
    task.tile = MiddleTile(tiles);
  }
  return tasks;
}

absl::Status CheckPsfEstimate(const LiveJob& job, int64_t number, const v1::PsfEstimate& estimate) {
  const int32_t channel = job.task(number).c;
  if (static_cast<int64_t>(estimate.c()) != channel || static_cast<int64_t>(estimate.psf().c()) != channel) {
    return WrongEstimate(fmt::format("a PSF of channel {} instead of {}", estimate.c(), channel));
  }
  if (!SameBox(estimate.psf(), GivenPsf(job, channel))) {
    return WrongEstimate(fmt::format("the PSF of channel {} is not in the box of the given one", channel));
  }
  if (!AreNumbers(estimate)) {
    return WrongEstimate(fmt::format("the PSF of channel {} has sums that are not numbers", channel));
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::server
