// One PSF from several beads: each brought to the middle of its box to a fraction of a voxel, without its background,
// and averaged.
//
// A bead's background is the median of the rim of its box in every plane. Its place is the centroid of what lies above
// half its height within 3 voxels of its peak, then, three times, where its correlation with the average of all is
// greatest: a parabola through half a voxel to both sides along each axis. Between voxels values are cubic (Catmull and
// Rom). Beads whose correlation with the average is below 0.8, or below the median of all by more than 0.1, are left
// out as unlike the others, where there are at least three; never the median one.
//
// The average is the mean without the lowest and the highest fifth of the beads at every voxel where there are at least
// five, else the mean of all. Negative values become 0.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/psf/distill/beads.h"

namespace deconvoy::worker {

struct DistilledPsf {
  std::vector<float> values;         // of sum 1, in z,y,x order, with its peak in the middle; empty without any bead
  std::vector<double> correlations;  // of each bead given with the average; 0 for those that were rejected before
};

// Says of the beads that it leaves out why. REQUIRES: `box` odd and inside the stack around every bead that is not
// rejected.
DistilledPsf AverageBeads(std::span<const float> values, const Shape3& shape, const Shape3& box,
                          std::vector<Bead>& beads);

}  // namespace deconvoy::worker
