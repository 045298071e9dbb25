// The task that computes a PSF from a microscope's optics (worker/psf/theory/microscope.h).
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {

// The microscope that a specification tells of, its defaults filled in. REQUIRES: ValidateModelPsf accepts it.
Microscope MicroscopeOf(const v1::ModelPsfSpec& spec);

// Errors: INVALID_FIELD, those of the sink. REQUIRES: task.has_model_psf().
absl::StatusOr<v1::TaskResult> RunModelPsf(const v1::Task& task, int threads, TaskContext& context);

// Memory that such a task needs: the values, and tables over the distance from the axis. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> ModelPsfBytes(const v1::Task& task);

}  // namespace deconvoy::worker
