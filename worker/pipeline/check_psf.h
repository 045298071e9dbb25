// The task that checks a PSF without deconvolving: what an analysis says of it (worker/psf/prepare.h), its optics, and
// the voxels of the images that it is meant for.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Progress counts the PSF's frames. Errors: BAD_PSF, INVALID_FIELD, those of the source. REQUIRES:
// task.has_check_psf().
absl::StatusOr<v1::TaskResult> RunCheckPsf(const v1::Task& task, TaskContext& context);

// Memory that such a task needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> CheckPsfBytes(const v1::Task& task);

}  // namespace deconvoy::worker
