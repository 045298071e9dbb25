// What the specification of a deconvolution means to server, workers and clients alike.
//
// Pure functions of validated specifications.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/geometry.h"
#include "proto/contract/parameters.h"

namespace deconvoy {

// The most that `axial_upsample` may be.
inline constexpr int64_t kMostAxialUpsample = 8;

// Planes of the result for each plane of the input, from the parameter `axial_upsample`; 1 where it is not given. Plane
// j of the input is the sample of plane j * AxialUpsample of the result, so that both begin at the same depth.
int64_t AxialUpsample(const v1::DeconvolveSpec& spec);

// Whether some voxels of the result's grid may not be measured: a mask, saturation, motion that is corrected, or planes
// between those of the input. Such voxels do not count, which only the boundary EXTEND allows.
bool HasMask(const v1::DeconvolveSpec& spec);

// Whether voxels of a tile may count differently: as above, or because of bad pixels that were found, a flat field or
// light that is corrected, which weigh them with the boundary EXTEND only.
bool HasWeights(const v1::DeconvolveSpec& spec, bool bad_pixels);

// The input on the grid of the result: with as many planes, that far apart.
v1::VolumeSpec OnResultGrid(const v1::DeconvolveSpec& spec, v1::VolumeSpec input);

// The part of that grid that is computed: the region of the input that is asked for, or all of it.
Box3 ResultBox(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input);

// What the result is: the input on its grid, with the extents of ResultBox. Voxel 0 of it is the origin of that box.
v1::VolumeSpec ResultVolume(const v1::DeconvolveSpec& spec, v1::VolumeSpec input);

// The planes of the input that are samples of planes of `box`, a box of the result's grid. May be empty.
Box3 MeasuredPlanes(const Box3& box, int64_t upsample);

// Whether the region that is asked for, if one is, lies inside the image's frames. INVALID_FIELD.
absl::Status CheckRegion(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image);
// Whether a method that joins channels has a PSF for each of them. SHAPE_MISMATCH.
absl::Status CheckViews(const v1::Method& method, const v1::VolumeSpec& image, const v1::VolumeSpec& psf);
// Whether the method can take PSFs of several depths, where there are such. INVALID_FIELD.
absl::Status CheckDepths(const v1::DeconvolveSpec& spec, const v1::Method& method);
// Whether the residual that is asked for has a map, as only what one PSF leaves has. INVALID_FIELD.
absl::Status CheckResidual(const v1::DeconvolveSpec& spec, const v1::Method& method);
// One background for each plane of the image, where planes are given theirs.
absl::Status CheckPlaneBackgrounds(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image);

// Whether the analysis can tell of every frame of the image that it looks at; a recording, of which it looks at the
// first planes, may have any number. LIMIT_EXCEEDED.
absl::Status CheckFrameCount(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image);

// Whether the PSF is to be estimated as one of the given optics.
bool FitsPupil(const v1::DeconvolveSpec& spec, const v1::Method& method);
// Whether what that takes is known: the optics, and the voxels' sizes. INVALID_FIELD.
absl::Status CheckPupil(const v1::DeconvolveSpec& spec, const v1::Method& method, const v1::VolumeSpec& image,
                        const v1::VolumeSpec& psf);

// The size of a PSF's voxels: its own, and the image's along axes along which that is not known.
v1::VoxelSize PsfVoxelSize(const v1::VoxelSize& image, const v1::VoxelSize& psf);

// PSFs that a tile is computed with: one for each view or depth. `channels` of the input.
int64_t PsfsOfTile(const v1::DeconvolveSpec& spec, const v1::Method& method, int64_t channels);

// Memory of the method in a tile with so many PSFs: beside its own each further view takes an OTF, y and weights; a
// blend over depth the result so far; where voxels count differently m, and weights that are kept whole; a flat field
// its plane. `bad_pixels`: some were found.
MethodMemory MemoryOf(const v1::Method& method, const Parameters& parameters, const v1::DeconvolveSpec& spec,
                      int64_t psfs, bool bad_pixels);

}  // namespace deconvoy
