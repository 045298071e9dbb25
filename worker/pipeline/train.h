// The tasks that train and check models.
//
// A part of a training reads the state that the part before has left, and writes its own into its frame. The same tasks
// give the same model on machines alike, whoever computes them (worker/learned/training.h).
#pragma once

#include <absl/status/statusor.h>

#include "worker/ops/backend.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Progress counts steps. Errors: INVALID_FIELD (also without LibTorch, with the reason), BAD_PSF, BAD_MODEL, BAD_OUTPUT
// where the loss is no number any more, those of source, sink and backend. REQUIRES: task.has_train().
absl::StatusOr<v1::TaskResult> RunTrain(const v1::Task& task, Backend& backend, TaskContext& context);

// Progress counts specimens that are judged. Errors as above. REQUIRES: task.has_finish_training().
absl::StatusOr<v1::TaskResult> RunFinishTraining(const v1::Task& task, Backend& backend, TaskContext& context);

// Errors: BAD_MODEL, INVALID_FIELD, LIMIT_EXCEEDED, those of the source. REQUIRES: task.has_check_model().
absl::StatusOr<v1::TaskResult> RunCheckModel(const v1::Task& task, Backend& backend, TaskContext& context);

// Memory that such a task needs, without what it streams. Errors: INVALID_FIELD for a volume that is not among the
// inputs. REQUIRES: the task is one of those above.
absl::StatusOr<int64_t> LearningBytes(const v1::Task& task);

}  // namespace deconvoy::worker
