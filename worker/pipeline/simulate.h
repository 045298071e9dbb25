// The task that makes a synthetic specimen and its image: truth (photons before blur), psf (sum 1), raw (counts).
//
// specimen -> blur -> scaled so that the brightest blurred voxel has `peak_photons` -> camera. The truth has the same
// scale, so that blur(truth) is the image without noise and background. A Gaussian PSF is applied directly and gives
// the same voxels on any machine; a given PSF is applied through the backend, whose transforms may round differently.
#pragma once

#include <absl/status/statusor.h>

#include "worker/ops/backend.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Progress counts planes after two steps for specimen and blur. Errors: BAD_PSF, those of source, sink and backend.
// REQUIRES: task.has_simulate().
absl::StatusOr<v1::TaskResult> RunSimulate(const v1::Task& task, Backend& backend, TaskContext& context);

// Memory that such a task needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> SimulationBytes(const v1::Task& task);

}  // namespace deconvoy::worker
