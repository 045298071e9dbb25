#include "worker/executor/pipeline_executor.h"

#include <fmt/format.h>

#include "proto/contract/error.h"
#include "worker/pipeline/analyse.h"
#include "worker/pipeline/check_psf.h"
#include "worker/pipeline/distill.h"
#include "worker/pipeline/file_tasks.h"
#include "worker/pipeline/model_psf.h"
#include "worker/pipeline/prepare_psf.h"
#include "worker/pipeline/project.h"
#include "worker/pipeline/simulate.h"
#include "worker/pipeline/tile_task.h"
#include "worker/pipeline/train.h"

namespace deconvoy::worker {

absl::StatusOr<v1::TaskResult> PipelineExecutor::Execute(const v1::Task& task, TaskContext& context) {
  if (TileOf(task) == nullptr) tiles_.Release();
  switch (task.work_case()) {
    case v1::Task::kAnalyse:
      return RunAnalyse(task, backend_.threads(), context);
    case v1::Task::kTile:
      return tiles_.Run(task, context);
    case v1::Task::kSimulate:
      return RunSimulate(task, backend_, context);
    case v1::Task::kProject:
      return RunProject(task, context);
    case v1::Task::kDistill:
      return RunDistill(task, context);
    case v1::Task::kCheckPsf:
      return RunCheckPsf(task, context);
    case v1::Task::kPreparePsf:
      return RunPreparePsf(task, context);
    case v1::Task::kModelPsf:
      return RunModelPsf(task, backend_.threads(), context);
    case v1::Task::kLookAtFile:
      return RunLookAtFile(task, context);
    case v1::Task::kReadFile:
      return RunReadFile(task, context);
    case v1::Task::kWriteFile:
      return RunWriteFile(task, context);
    case v1::Task::kTrain:
      return RunTrain(task, backend_, context);
    case v1::Task::kFinishTraining:
      return RunFinishTraining(task, backend_, context);
    case v1::Task::kCheckModel:
      return RunCheckModel(task, backend_, context);
    case v1::Task::kCalibrate:
      return tiles_.Calibrate(task, context);
    case v1::Task::kEstimatePsf:
      return tiles_.EstimatePsf(task, context);
    default:
      return MakeError(
          {.reason = v1::INVALID_FIELD, .field = "task.work", .remedy = "Run worker and server of the same version."},
          fmt::format("this worker does not know work of kind {}", static_cast<int>(task.work_case())));
  }
}

}  // namespace deconvoy::worker
