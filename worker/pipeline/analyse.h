// The task that comes first in a job: checks the PSF and measures every frame, the image plane by plane
// and the PSF as a whole. Of an image that is still being written it measures first planes, which stand for all frames:
// no frame is blank then, and whether there is light is not asked.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Progress counts planes. Errors: NOT_FINITE_INPUT (count and first place, per frame), BAD_PSF, INVALID_FIELD when
// offset and given background leave no light in any frame (blank frames, of one value, are fine), those of the source.
// Uses up to two of `threads`. REQUIRES: task.has_analyse().
absl::StatusOr<v1::TaskResult> RunAnalyse(const v1::Task& task, int threads, TaskContext& context);

// Memory that such a task needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> AnalysisBytes(const v1::Task& task);

}  // namespace deconvoy::worker
