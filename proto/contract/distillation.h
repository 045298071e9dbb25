// How much memory the beads take that a PSF is made from: what servers plan with, and workers keep to.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/contract/geometry.h"

namespace deconvoy {

// Voxels around a bead's box that its surroundings hold besides, on each side: the reach of its place from its peak,
// three half voxels, and two for values between voxels.
inline constexpr int64_t kBeadMargin = 8;

// Extents of a bead's surroundings, for a box of the PSF's extents.
inline Shape3 BeadPatchShape(const Shape3& box) {
  return {box.z + 2 * kBeadMargin, box.y + 2 * kBeadMargin, box.x + 2 * kBeadMargin};
}

// Of one bead: its surroundings and its box, which is made anew.
inline int64_t BytesPerBead(const Shape3& box) {
  return static_cast<int64_t>(sizeof(float)) * (BeadPatchShape(box).voxels() + 2 * box.voxels());
}

// How many beads are averaged: many serve no better than these.
inline int64_t MostBeads(const Shape3& box) {
  constexpr int64_t kBytesOfBeads = int64_t{256} << 20, kFewest = 8, kMost = 100;
  return std::clamp(kBytesOfBeads / BytesPerBead(box), kFewest, kMost);
}

// Of all beads, and of the PSF in double precision while it is filtered.
inline int64_t BeadBytes(const Shape3& box) {
  return MostBeads(box) * BytesPerBead(box) + static_cast<int64_t>(sizeof(double)) * box.voxels();
}

}  // namespace deconvoy
