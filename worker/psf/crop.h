// How much of a PSF is used: the symmetric box of worker/psf/prepare.h.
#pragma once

#include <span>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

struct CropLimits {
  double energy = 1;  // share of the sum that must stay
  Shape3 image;       // the box reaches at most image - 1 voxels from the centre
};

struct PsfCrop {
  Voxel half;              // the box is [centre - half, centre + half]
  bool limited = false;    // `image` cut something off
  double limited_sum = 0;  // of what the image's limit leaves
  double sum = 0;          // of the final box
};

// REQUIRES: centre inside shape. Negative values count as zero.
PsfCrop FindCrop(std::span<const float> values, const Shape3& shape, const Voxel& centre, const CropLimits& limits);

}  // namespace deconvoy::worker
