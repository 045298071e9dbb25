// The task that computes a PSF from a microscope's optics (worker/psf/theory/microscope.h).
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Errors: INVALID_FIELD, those of the sink. REQUIRES: task.has_model_psf().
absl::StatusOr<v1::TaskResult> RunModelPsf(const v1::Task& task, int threads, TaskContext& context);

// Memory that such a task needs: the values, and tables over the distance from the axis. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> ModelPsfBytes(const v1::Task& task);

}  // namespace deconvoy::worker
