// What is wrong with a PSF, as far as it shows by itself.
//
// Donuts, doubled edges and shrunken objects come from wrong PSFs more often than from wrong parameters. Each rule says
// what it compares; clean measured and computed PSFs, aberrated ones too, pass all of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

struct PsfDefect {
  std::string name;     // for programs, as below with underscores for blanks: `second_peak`
  double number = 0;    // by how much, as the message says: a share of 1, a count, or a factor
  std::string message;  // what and how much, and what it does to the result
  std::string remedy;
};

// A defect as a WARNING about the PSF of channel `c`, on the field `deconvolve.psf_volume`; `defect` and `number` are
// in its metadata.
v1::Finding PsfFinding(uint32_t c, const PsfDefect& defect);

// In this order, those that are found:
//   background    were the darkest hundredth of the voxels the level of a background, it would hold more than 15 % of
//                 the light (a sample of the voxels; extents of 5 and more)
//   saturation    more than 8 voxels, or three in a row, have the greatest value, which is at least 200, and all values
//                 are whole numbers
//   second peak   a voxel of at least 40 % of the greatest value lies sideways from it by more than one and a half
//                 widths at half maximum, at least 3 voxels, and is greater than its neighbours
//   cut sideways  in the plane of the greatest value the rim has a voxel above 15 % of it (extents of 5 and more)
//   cut along z   the first or last plane has a voxel above 30 % of the greatest value (extents of 5 and more)
// Negative values count as zero. REQUIRES: finite values with a positive sum, in z,y,x order.
std::vector<PsfDefect> CheckPsf(std::span<const float> values, const Shape3& shape);

}  // namespace deconvoy::worker
