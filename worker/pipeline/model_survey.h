// What an analysis finds for models: the scale that they see each channel with, and whether its PSF is theirs.
#pragma once

#include <absl/status/status.h>

#include "deconvoy/v1/workers.pb.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Adds scales and findings to the analysis of a task that names models; nothing without any. A scale is that of the
// first time point of its channel, from a sample of at most four million voxels, before any correction of light.
// Errors: those of the source, BAD_PSF. REQUIRES: task.has_analyse(), and `result` has PSFs and channels.
absl::Status SurveyForModels(const v1::Task& task, TaskContext& context, v1::AnalyseResult& result);

}  // namespace deconvoy::worker
