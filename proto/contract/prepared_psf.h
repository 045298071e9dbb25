// A PSF as a deconvolution or a check has prepared it, on request: what the job `prepare_psf` needs to know, and what
// it makes.
//
// Pure functions. Each frame of the PSF's volume has a report, which says where its box and its origin lie. All boxes
// go into frames of one extent: the smallest about the origin, voxel floor(n/2), that hold them.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

// Whether the reports can be true of any PSF: numbers, boxes that hold their origin, one voxel size for all.
// INVALID_FIELD.
absl::Status ValidatePreparePsf(const v1::PreparePsfSpec& spec);

// Whether they can be true of this one: a report for each frame, in t,c order, and origins inside. Errors:
// SHAPE_MISMATCH, INVALID_FIELD. REQUIRES: as everything below, that ValidatePreparePsf accepts the specification.
absl::Status ValidatePreparedPsf(const v1::PreparePsfSpec& spec, const v1::VolumeSpec& psf);

// Extents of each frame that is made.
Shape3 PreparedPsfShape(const v1::PreparePsfSpec& spec);

// The box of one report in such a frame.
Box3 PreparedPsfBox(const v1::PsfReport& report, const Shape3& frame);

// The volume that becomes of `psf`: f32, its time points and channels, with the voxels of the images that it was
// prepared for. It may be larger than volumes can be. REQUIRES: ValidatePreparedPsf accepts both.
v1::VolumeSpec PreparedPsfVolume(const v1::PreparePsfSpec& spec, const v1::VolumeSpec& psf);

// Memory that a frame takes, of a PSF of `given` voxels: while it is prepared, and put into its place. Besides comes
// what reading takes. REQUIRES: the volume is as large as volumes can be.
int64_t PreparedPsfBytes(const v1::PreparePsfSpec& spec, const Shape3& given);

}  // namespace deconvoy
