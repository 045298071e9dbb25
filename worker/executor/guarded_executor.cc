#include "worker/executor/guarded_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <new>

#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/parameters.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/memory/budget.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/analyse.h"
#include "worker/pipeline/check_psf.h"
#include "worker/pipeline/distill.h"
#include "worker/pipeline/file_tasks.h"
#include "worker/pipeline/model_psf.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/prepare_psf.h"
#include "worker/pipeline/project.h"
#include "worker/pipeline/simulate.h"
#include "worker/pipeline/tile_task.h"
#include "worker/pipeline/train.h"

namespace deconvoy::worker {
namespace {

// The smallest box that holds each of a tile's PSFs.
Shape3 Support(const v1::TileTask& tile) {
  Shape3 support{};
  for (const v1::PsfReport& psf : tile.psfs()) {
    const Shape3 shape = ToShape3(psf.crop_shape());
    support = {std::max(support.z, shape.z), std::max(support.y, shape.y), std::max(support.x, shape.x)};
  }
  return support;
}

// As the plan counts it. A PSF that is not among the inputs is found missing when it is read.
absl::StatusOr<int64_t> TileNeed(const v1::Task& task, const v1::TileTask& tile) {
  const Method* method = FindMethod(tile.spec().method());
  if (method == nullptr) return 0;
  ASSIGN_OR_RETURN(
      const Parameters parameters,
      ResolveParameters(method->description(), {tile.spec().parameters().begin(), tile.spec().parameters().end()}));
  const v1::Boundary boundary = BoundaryOf(tile.spec(), *method);
  const Shape3 padded = ToShape3(tile.padded());
  const Shape3 measured = MeasuredShape(boundary, padded, ToFrameBox(tile.loaded()).box.shape);
  const bool bad_pixels = std::any_of(tile.channels().begin(), tile.channels().end(),
                                      [](const v1::ChannelFacts& channel) { return !channel.bad_pixels().empty(); });
  MethodMemory memory = MemoryOf(method->description(), parameters, tile.spec(), tile.psfs_size(), bad_pixels);
  const Method* classical = FindMethod(tile.spec().classical_method());
  const double model_bytes =
      ModelBytesPerVoxel(tile.models(), classical == nullptr ? nullptr : &classical->description());
  if (method->description().takes_denoiser() && !tile.models().empty()) {
    AddDenoiserMemory(model_bytes, ModelHalo(tile.models()), memory);
  } else {
    memory.millibytes_per_padded_voxel += static_cast<int64_t>(std::ceil(1000 * model_bytes));
  }
  const int64_t bytes = TileBytes(memory, padded, measured, Support(tile));
  const absl::StatusOr<const v1::VolumeAccess*> psf = FindInput(task, tile.psf_volume());
  const PsfSteps steps = tile.psfs_size() > 0 ? StepsOf(tile.psfs(0)) : PsfSteps();
  const int64_t psf_bytes = psf.ok() ? GivenPsfBytes(PsfRoom(FrameShape((*psf)->spec()), steps)) : 0;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  return bytes <= kMost - psf_bytes ? bytes + psf_bytes : kMost;
}

// Outputs that are streamed lie in memory until they are delivered. A tile's are in what TileBytes counts, an estimated
// PSF is in what GivenPsfBytes counts.
int64_t BufferBytes(const v1::Task& task) {
  return task.scratch_path().empty() ? OutputBytes(task) : 0;
}

const char* Remedy(const v1::Task& task) {
  return TileOf(task) != nullptr ? "Use smaller tiles, or a worker with more memory."
                                 : "Use a smaller image or PSF, or a worker with more memory.";
}

}  // namespace

absl::StatusOr<int64_t> NeedBytes(const v1::Task& task) {
  if (const v1::TileTask* tile = TileOf(task); tile != nullptr) return TileNeed(task, *tile);
  if (task.has_analyse()) return AnalysisBytes(task);
  if (task.has_check_psf()) return CheckPsfBytes(task);
  int64_t need = 0;
  if (task.has_simulate()) {
    ASSIGN_OR_RETURN(need, SimulationBytes(task));
  } else if (task.has_project()) {
    ASSIGN_OR_RETURN(need, ProjectionBytes(task));
  } else if (task.has_distill()) {
    ASSIGN_OR_RETURN(need, DistillBytes(task));
  } else if (task.has_model_psf()) {
    ASSIGN_OR_RETURN(need, ModelPsfBytes(task));
  } else if (task.has_prepare_psf()) {
    ASSIGN_OR_RETURN(need, PreparePsfBytes(task));
  } else if (task.has_read_file() || task.has_write_file()) {
    ASSIGN_OR_RETURN(need, FileTaskBytes(task));
  } else if (task.has_train() || task.has_finish_training() || task.has_check_model()) {
    ASSIGN_OR_RETURN(need, LearningBytes(task));
  }
  return need + BufferBytes(task);
}

absl::StatusOr<v1::TaskResult> GuardedExecutor::Execute(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(const int64_t need, NeedBytes(task));
  RETURN_IF_ERROR(CheckBudget(need, budget_bytes_, Remedy(task)));
  try {
    return next_.Execute(task, context);
  } catch (const std::bad_alloc&) {
    return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = Remedy(task)},
                     fmt::format("the worker ran out of memory in a task planned for {} MiB", need >> 20));
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("the task ended with an exception: {}", error.what()));
  }
}

}  // namespace deconvoy::worker
