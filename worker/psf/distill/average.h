// One PSF from several beads: each brought to the middle of its box to a fraction of a voxel, without its background,
// and averaged.
//
// A bead's background is the median of the rim of its box in every plane. Its place is the centroid of what lies above
// half its height within 3 voxels of its peak, then, three times, where its correlation with the average of all is
// greatest: a parabola through half a voxel to both sides along each axis. Between voxels values are cubic (Catmull and
// Rom). Beads whose correlation with the average is below 0.8, or below the median of all by more than 0.1, are left
// out as unlike the others, where there are at least three; never the median one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/psf/distill/beads.h"

namespace deconvoy::worker {

enum class BeadMean { kTrimmed, kMedian, kPlain };

// The surroundings of one bead: its box and as much around it as its place may be away from its peak. Beyond the stack
// the values at its end are repeated.
struct BeadPatch {
  size_t bead = 0;        // among those that are given with it
  double background = 0;  // of its stack
  std::vector<float> values;
};

// Extents: BeadPatchShape (proto/contract/distillation.h). REQUIRES: `box` odd.
BeadPatch CutPatch(std::span<const float> stack, const Shape3& shape, const Shape3& box, const Voxel& peak);

// How a bead agrees with the average.
struct BeadFit {
  double correlation = 0;
  double residual = 0;  // root of the squared difference over that of the squared average, both of sum 1
};

struct DistilledPsf {
  std::vector<float>
      values;  // of sum 1, in z,y,x order, its peak in the middle; negative ones, too. Empty without bead
  std::vector<BeadFit> fits;  // of each bead given; 0 for those that were not used
  double snr = 0;             // greatest value over the noise, which is that of the rim of all planes
};

// Says of the beads that it leaves out why. The mean is taken at every voxel: kTrimmed without the lowest and the
// highest fifth of the beads, where there are at least five, else of all.
DistilledPsf AverageBeads(const std::vector<BeadPatch>& patches, const Shape3& box, BeadMean mean,
                          std::vector<Bead>& beads);

}  // namespace deconvoy::worker
