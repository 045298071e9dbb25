// The tasks of imports and exports: image files on storage that the server sees, too.
#pragma once

#include <absl/status/statusor.h>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// All count planes as progress, and name the file as its owner does in errors. Errors of all: those of
// worker/pipeline/server_files.h, of source and sink.

// Reads a whole image file, for its description and digest. Errors: BAD_FILE; LIMIT_EXCEEDED for more voxels than the
// task allows; OUT_OF_MEMORY where a plane is too large for this machine; FILE_CHANGED where it was changed meanwhile.
// REQUIRES: task.has_look_at_file().
absl::StatusOr<v1::TaskResult> RunLookAtFile(const v1::Task& task, TaskContext& context);

// Reads the planes of the task's pieces. Errors: FILE_CHANGED where the file is not the one that was looked at.
// REQUIRES: task.has_read_file().
absl::StatusOr<v1::TaskResult> RunReadFile(const v1::Task& task, TaskContext& context);

// Writes a volume into a file, which gets its name when it is whole. A file that holds this very volume already, as an
// attempt of this task that was lost may have left, stays. Errors: FILE_EXISTS; DISK_FULL. REQUIRES:
// task.has_write_file().
absl::StatusOr<v1::TaskResult> RunWriteFile(const v1::Task& task, TaskContext& context);

// Memory that a task of the last two kinds needs. Errors: INVALID_FIELD.
absl::StatusOr<int64_t> FileTaskBytes(const v1::Task& task);

// Whether no other attempt at a task of these kinds can end otherwise.
bool EndsFileTask(const absl::Status& status);

}  // namespace deconvoy::worker
