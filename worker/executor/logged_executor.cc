#include "worker/executor/logged_executor.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"

namespace deconvoy::worker {
namespace {

std::string TileSummary(const v1::TileTask& tile) {
  const v1::Box& core = tile.core();
  const v1::Voxel3& padded = tile.padded();
  return fmt::format("tile t={} c={} at z={} y={} x={} of {}x{}x{} voxels, padded {}x{}x{}, method {}", core.t(),
                     core.c(), core.z(), core.y(), core.x(), core.size_z(), core.size_y(), core.size_x(), padded.z(),
                     padded.y(), padded.x(), Printable(tile.spec().method()));
}

}  // namespace

std::string Summary(const v1::Task& task) {
  switch (task.work_case()) {
    case v1::Task::kAnalyse:
      return "analysis";
    case v1::Task::kTile:
      return TileSummary(task.tile());
    case v1::Task::kSimulate:
      return "simulation";
    case v1::Task::kDistill:
      return "PSF from beads";
    case v1::Task::kCheckPsf:
      return "check of a PSF";
    case v1::Task::kPreparePsf:
      return "preparation of a PSF";
    case v1::Task::kModelPsf:
      return "PSF from optics";
    case v1::Task::kTrain:
      return fmt::format("training of {}, steps {} to {}", Printable(task.train().spec().network()),
                         task.train().first_step(), task.train().last_step());
    case v1::Task::kFinishTraining:
      return "end of a training of " + Printable(task.finish_training().spec().network());
    case v1::Task::kCheckModel:
      return "check of a model";
    case v1::Task::kProject:
      return fmt::format("projection of t={} c={}", task.project().t(), task.project().c());
    case v1::Task::kLookAtFile:
      return "look at " + Printable(task.look_at_file().file().file());
    case v1::Task::kReadFile:
      return "planes of " + Printable(task.read_file().file().file());
    case v1::Task::kWriteFile:
      return "file " + Printable(task.write_file().file().file());
    case v1::Task::kCalibrate:
      return "calibration on " + TileSummary(task.calibrate().tile());
    case v1::Task::kEstimatePsf:
      return "estimate of the PSF on " + TileSummary(task.estimate_psf().tile());
    default:
      return "unknown work";
  }
}

absl::StatusOr<v1::TaskResult> LoggedExecutor::Execute(const v1::Task& task, TaskContext& context) {
  spdlog::info("{} (token {}): {}", task.name(), task.token(), Summary(task));
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<v1::TaskResult> result = next_.Execute(task, context);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (result.ok()) {
    spdlog::info("{}: computed in {:.3f} s", task.name(), taken.count());
  } else {
    spdlog::error("{}: ended after {:.3f} s: {}", task.name(), taken.count(), LogText(result.status()));
  }
  return result;
}

}  // namespace deconvoy::worker
