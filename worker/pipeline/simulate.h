// The task that makes a synthetic specimen and its image: truth (photons before blur), psf (sum 1), raw (counts).
//
// specimen -> blur -> scaled so that the brightest blurred voxel has `peak_photons` -> camera. The truth has the same
// scale, so that blur(truth) is the image without noise and background.
//
// The same seed gives the same specimen on any machine. A Gaussian PSF is applied directly: image and noise are the
// same bits with the same program, C library and kind of processor, elsewhere `exp` and `log` may round differently. A
// given PSF is applied through the backend, whose transforms may round differently in any case.
#pragma once

#include <absl/status/statusor.h>

#include "worker/ops/backend.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// The result says how many voxels of `raw` were clipped. Progress counts planes after two steps for specimen and blur.
// Errors: BAD_PSF, those of source, sink and backend.
// REQUIRES: task.has_simulate().
absl::StatusOr<v1::TaskResult> RunSimulate(const v1::Task& task, Backend& backend, TaskContext& context);

// Memory that such a task needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> SimulationBytes(const v1::Task& task);

}  // namespace deconvoy::worker
