// Imports and exports: how their files are cut into tasks, and what becomes of what these find.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/file_roots.h"
#include "server/jobs/live_job.h"
#include "server/jobs/outcome.h"

namespace deconvoy::server {

class JobStep;

bool IsFileJob(const v1::JobSpec& spec);

// Whether the owner of a file job may use its file: see FileRoots::Check.
absl::Status CheckFile(const FileRoots& roots, const std::string& owner, const v1::JobSpec& spec);
// How a worker gets at the file of a file job. Errors of FileRoots::Access.
absl::StatusOr<v1::FileAccess> AccessOf(const FileRoots& roots, const LiveJob& job);
// Tells it to a task of that job.
void SetAccess(const v1::FileAccess& file, v1::Task& task);

// The volume that an import is to make of what its file holds. INVALID_FIELD for anything that is no volume with its
// digest.
absl::StatusOr<v1::VolumeSpec> ImportedSpec(const v1::ImportSpec& spec, const v1::LookAtFileResult& found);

// Takes over what has been found in the file, after that decision: the job's output, and the tasks that bring it.
absl::Status TakeLook(JobStep& step, const v1::LookAtFileResult& found, const ImportDecision& decision);

// Adds the voxels that a task of an import has brought, or that an export has written.
void AddMovedBytes(const LiveJob& job, int64_t number, UsageRecord& usage);

// Planes of one part of an imported volume: enough of them to be worth a task.
int64_t PlanesPerPart(const v1::VolumeSpec& spec);
// The pieces of the n-th part, in their order.
std::vector<v1::OutputPiece> PiecesOfPart(const v1::VolumeSpec& spec, const std::string& volume, int64_t part);

}  // namespace deconvoy::server
