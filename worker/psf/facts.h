// What methods need to know of a PSF beside its transform.
//
// Pure functions; threads may share everything.
#pragma once

#include <array>
#include <span>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Of one axis.
struct PsfAxis {
  // Full width at half maximum in voxels, at least 1: along the line through the maximum (the first one in z,y,x
  // order), between the places next to it where the line, linear between voxels, falls to half. Outside its box the PSF
  // counts as zero, so that one that is a single voxel thick has the width 1, and one that never falls to half that of
  // its box.
  double fwhm = 1;
  // |h^| at the cutoff 1 / fwhm cycles per voxel along this axis, 0 along the others; and at half of it.
  double at_cutoff = 1;
  double at_half_cutoff = 1;
  // The least real part of h^ along this axis, 0 along the others, for the PSF about its centre.
  double least_real = 1;

  // Cycles per voxel.
  double cutoff() const { return 1 / fwhm; }
  // Whether frequencies reach the cutoff: they end at 1/2.
  bool resolved() const { return fwhm > 2; }
};

struct PsfFacts {
  std::array<PsfAxis, 3> axes = {};  // z, y, x
  double at_corner = 1;              // |h^| at half a cycle per voxel along all axes
};

// The widths alone, z, y, x, as above. REQUIRES: finite values with a positive sum, in z,y,x order.
std::array<double, 3> WidthsAtHalf(std::span<const float> values, const Shape3& shape);

// Zeros around the values change nothing. REQUIRES: shape.voxels() values of sum 1 in z,y,x order, none negative.
PsfFacts MeasurePsf(std::span<const float> values, const Shape3& shape, const Voxel& centre);

}  // namespace deconvoy::worker
