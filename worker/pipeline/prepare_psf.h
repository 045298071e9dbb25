// Preparing a PSF as its report says: for the tasks that compute with it, and as a task of its own that writes it
// (proto/contract/prepared_psf.h).
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

// Reads the frame of the volume that the report is of, and prepares it. Errors: BAD_PSF, those of the source.
absl::StatusOr<PreparedPsf> ReadPreparedPsf(VolumeSource& source, const v1::VolumeAccess& volume,
                                            const v1::PsfReport& report);

// Progress counts the PSF's frames. Errors: BAD_PSF, SHAPE_MISMATCH, INVALID_FIELD, those of source and sink. REQUIRES:
// task.has_prepare_psf().
absl::StatusOr<v1::TaskResult> RunPreparePsf(const v1::Task& task, TaskContext& context);

// Memory that such a task needs. Errors: as above, but BAD_PSF.
absl::StatusOr<int64_t> PreparePsfBytes(const v1::Task& task);

}  // namespace deconvoy::worker
