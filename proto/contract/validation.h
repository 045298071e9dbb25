// Checks of requests that need nothing but the request: done by the client for early errors, by the server for safety.
//
// Every error says which field, what was given, and what is allowed.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy {

absl::Status ValidateRequestId(std::string_view id);
absl::Status ValidateVolumeSpec(const v1::VolumeSpec& spec);
absl::Status ValidateJobSpec(const v1::JobSpec& spec);
// The remedy of a job that says nothing.
inline constexpr const char* kSayWhatToDo =
    "Say what to do: deconvolve, simulate, project, model_psf, distill, check_psf, prepare_psf, import_file, "
    "export_file, "
    "train_model or check_model.";

// Checks box, length and checksum of one chunk that arrives for a volume.
absl::Status ValidateChunk(const v1::Chunk& chunk, const v1::VolumeSpec& volume);

// Whether both count as the same: at most 3 % apart along each axis along which both are known.
bool IsSameVoxelSize(const v1::VoxelSize& a, const v1::VoxelSize& b);

// Whether image and PSF go together: channels, time points, voxel sizes where both are known (3 % apart counts as
// equal; `note` then says so when they are not identical). Errors: SHAPE_MISMATCH, VOXEL_SIZE_MISMATCH with both sizes.
absl::Status ValidatePair(const v1::VolumeSpec& image, const v1::VolumeSpec& psf, std::string* note);

// The same for a deconvolution: the PSF has a stack for each of its depths, and voxels like those of the result's grid,
// which is finer than the image's with `axial_upsample`; without that voxels from which it can be told at the image's
// will do, too (psf_grid.h). REQUIRES: ValidateJobSpec accepts the specification.
absl::Status ValidatePsf(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image, const v1::VolumeSpec& psf,
                         std::string* note);

// Whether a stack of beads can give this PSF beside the first one, which may be itself. Errors: SHAPE_MISMATCH,
// INVALID_FIELD, VOXEL_SIZE_MISMATCH.
absl::Status ValidateBeads(const v1::DistillSpec& spec, const v1::VolumeSpec& first, const v1::VolumeSpec& volume);

}  // namespace deconvoy
