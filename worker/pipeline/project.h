// The task that projects one frame along an axis.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Maximum-intensity projection, of the input's type. Progress counts planes. Errors: NOT_FINITE_INPUT, those of source
// and sink. REQUIRES: task.has_project().
absl::StatusOr<v1::TaskResult> RunProject(const v1::Task& task, TaskContext& context);

// Memory that such a task needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> ProjectionBytes(const v1::Task& task);

}  // namespace deconvoy::worker
