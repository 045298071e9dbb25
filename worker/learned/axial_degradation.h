// What networks on axial slices learn from images alone, after M. Weigert et al., MICCAI (2017) 126: lateral slices are
// made as blurred and as coarse as axial ones, and the network learns to undo that.
//
//   g  a plane of the image, of whose axes one, the *degraded*, stands for z
//   a  h on the plane through its origin that holds z and the other lateral axis, at the image's lateral voxels:
//      linear between planes, 0 beyond them; over its sum
//   l  h on the lateral plane through its origin, over its sum
//   q  q^ = a^ conj(l^) / (|l^|^2 + 1e-3), over its value at 0, and no longer than 1: the blur that axial slices have
//      and lateral ones have not
//   S  every s-th line along the degraded axis, linear between lines; s is the voxel size along z over that along the
//      degraded axis, 1 where they are not known
//
//   input p = S(q * g), seen anew with the noise of its photons and the read noise; target S g
//
// Beyond the faces of a plane lies what is as bright as what lies within: q * g is divided by q * 1. The noise is drawn
// since q takes away what axial slices have of it.
//
// Differs from the publication. Its networks see slices that have been interpolated to square pixels; these work on the
// grid of the image, whose axial slices have the pixels that p and S g have. A blur with the whole rotated PSF would
// widen p along the other lateral axis, too, where axial slices are no wider than lateral ones; q leaves that out.
//
// Pure functions; threads may share everything. Needs no LibTorch.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker::learned {

enum class LateralAxis { kY, kX };

// s of voxel sizes z, y, x in um.
double PlaneStep(std::span<const double> voxel_um, LateralAxis degraded);

// How many lines a slice of so many planes takes: the least extent that holds the last of them.
int64_t LinesOf(int64_t planes, double step);

// q for planes of an image: one plane, of odd extents, with its origin in the middle and sum 1. Errors: BAD_PSF where h
// has no light on one of its two planes. REQUIRES: a PSF with its origin inside, step > 0.
absl::StatusOr<PreparedPsf> FurtherBlur(const PreparedPsf& psf, double step, LateralAxis degraded);

// The lines of a plane that a slice has.
struct SliceOfPlane {
  LateralAxis degraded = LateralAxis::kY;
  double step = 1;
  Voxel first;         // its first voxel in the plane; z does not count
  int64_t planes = 0;  // as many values along the degraded axis
  int64_t width = 0;   // along the other
};

// S: planes x width values of `plane`, [y, x] of extents `shape`. REQUIRES: all its lines lie inside.
std::vector<float> Subsampled(std::span<const float> plane, const Shape3& shape, const SliceOfPlane& slice);

}  // namespace deconvoy::worker::learned
