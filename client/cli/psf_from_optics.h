// PSFs computed by a worker for an image, one for each of its channels.
#pragma once

#include <absl/status/statusor.h>

#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/image_optics.h"
#include "client/cli/job_run.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// AmplePsfShape (proto/contract/model_psf.h) as voxels. REQUIRES: ValidateModelPsf accepts the specification, voxels
// are known.
Voxel PsfExtent(const v1::ModelPsfSpec& spec);

// What is to be computed for each channel of an image on its result's grid: alike in extents, none larger than any
// two of its voxels are apart. Of an image of one plane, one plane. Errors: those of ValidateModelPsf.
absl::StatusOr<std::vector<v1::ModelPsfSpec>> PsfSpecsFor(const ImageOptics& optics, const v1::VolumeSpec& grid,
                                                          v1::PsfModel model = v1::RICHARDS_WOLF);

// The volume that they become together. REQUIRES: from PsfSpecsFor.
v1::VolumeSpec PsfVolumeSpec(const std::vector<v1::ModelPsfSpec>& specs);

// Has them computed, one job each, and returns the volume, which is added to `leftovers`. The jobs, and the volumes of
// the channels where they are joined, are removed; those that are still there after an error are in `leftovers`.
absl::StatusOr<std::string> ComputePsf(Session& session, const std::vector<v1::ModelPsfSpec>& specs,
                                       Leftovers& leftovers, Progress& progress, const std::stop_token& stop);

}  // namespace deconvoy::client
