// The task that comes first in a job: checks the PSF and measures every frame, plane by plane in bounded memory.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Progress counts planes. Errors: NOT_FINITE_INPUT (count and first place, per frame), BAD_PSF, those of the source.
// REQUIRES: task.has_analyse().
absl::StatusOr<v1::TaskResult> RunAnalyse(const v1::Task& task, TaskContext& context);

}  // namespace deconvoy::worker
