// What a task that estimates a PSF reads and brings, around the method's estimation.
#pragma once

#include <absl/status/statusor.h>

#include <optional>

#include "worker/methods/method.h"
#include "worker/pipeline/task_context.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

// Hands steps to the task's context, and the objective of each round to the estimate.
class EstimationMonitor final : public Monitor {
 public:
  // Both must outlive it.
  EstimationMonitor(TaskContext& context, v1::PsfEstimate& estimate) : context_(context), estimate_(estimate) {}
  absl::Status Iterated(const Iteration& iteration) override;

 private:
  TaskContext& context_;
  v1::PsfEstimate& estimate_;
};

// The given PSF of the task's tile. Errors: BAD_PSF, those of the source. REQUIRES: task.has_estimate_psf().
absl::StatusOr<PreparedPsf> ReadGivenPsf(const v1::Task& task, VolumeSource& source);

// The optics that the PSF of the task's tile is said to come from, computed with so many threads; nothing where they,
// or the sizes of the PSF's voxels, are not known. `image` is what is deconvolved. Errors: those of FindInput.
// REQUIRES: as above.
absl::StatusOr<std::optional<KnownOptics>> OpticsOfTask(const v1::Task& task, const v1::VolumeSpec& image, int threads);

// Writes the output, and adds to `result` how the PSF is used and, as findings, how wide it and the given one are and
// what aberrates its pupil; for a blank frame that there was nothing to estimate. `estimate`: none for a blank frame.
// REQUIRES: as above.
absl::Status WritePsfEstimate(const v1::Task& task, const PreparedPsf& given,
                              const std::optional<EstimatedPsf>& estimate, OutputSink& sink, v1::TaskResult& result);

}  // namespace deconvoy::worker
