// Beads in a recorded stack: which serve to make a PSF, and why the others do not.
//
// The background is the stack's median, its noise 1.4826 times the median distance from it. A bead is a voxel not below
// any of its 26 neighbours in the stack smoothed once with 1/4, 1/2, 1/4 along each axis (along which there are at
// least three voxels), that stands out of the background by 6 times the smoothed noise and by 3 % of what the brightest
// does. Neighbours of equal height count once.
//
// With a width to look for, the stack is smoothed along z as above, and in its planes with a Gaussian of this width;
// what must stand out is then minus its Laplacian there times the Gaussian's variance (y and x only: beads are long
// along z). That finds beads on a background that is not even, and no structures that are much wider.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

struct Bead {
  int64_t stack = 0;  // among several, from 0
  Voxel peak;
  double height = 0;     // above the background, in the stack's unit
  double snr = 0;        // height over noise
  std::string rejected;  // why it is not used; empty for one that is
};

struct BeadRules {
  Shape3 box;  // extents of the PSF, all odd: what a bead needs around it
  double least_snr = 10;
  float saturation = 0;    // values of at least so much are saturated; 0: none
  double search_fwhm = 0;  // in voxels along y and x: the width to look for; 0: none in particular
};

struct FoundBeads {
  double background = 0;
  double noise = 0;
  std::vector<Bead> beads;  // the brightest first
};

// Rejected are beads that are saturated; cut by an end of the stack; too dim; in a clump: another bead of at least 15 %
// of its height lies in its box, and sideways by 3 voxels or more. REQUIRES: finite values. Memory: 12 bytes per voxel
// beside the values, 16 with a width to look for.
FoundBeads FindBeads(std::span<const float> values, const Shape3& shape, const BeadRules& rules);

}  // namespace deconvoy::worker
