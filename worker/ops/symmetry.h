// Symmetry of PSFs, of which backends keep less.
#pragma once

#include <span>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Whether a PSF equals its own reflection about its centre: all differences together are at most a millionth of its
// sum, which bounds the imaginary part of its transform by half of that.
bool IsSymmetric(std::span<const float> psf, const Shape3& shape, const Voxel& centre);

}  // namespace deconvoy::worker
