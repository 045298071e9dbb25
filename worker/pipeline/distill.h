// The task that makes a PSF from a stack of beads (worker/psf/distill).
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Findings: the PSF's widths and how many beads made it, and for each of the others, the brightest first, why not.
// Progress counts planes that are read, then one step. Errors: NOT_FINITE_INPUT; BAD_PSF when no bead serves, saying
// why the brightest do not; those of source and sink. REQUIRES: task.has_distill().
absl::StatusOr<v1::TaskResult> RunDistill(const v1::Task& task, TaskContext& context);

// Memory that such a task needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> DistillBytes(const v1::Task& task);

}  // namespace deconvoy::worker
