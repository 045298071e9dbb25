// What is told of results that models have made, beside how they explain the image.
#pragma once

#include <absl/status/status.h>

#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "worker/learned/patch_statistics.h"
#include "worker/pipeline/tile_output.h"

namespace deconvoy::worker {

// Planes of one core, as photons.
struct TrustedCore {
  CorePlane estimate;
  CorePlane spread;  // none: not known
};

// Compares the patches of an image with those that a model was trained with; nothing where these are not known, or are
// of a program with other figures.
void CountStrangePatches(const std::vector<learned::Figures>& patches, const v1::PatchStatistics& known,
                         v1::TrustStatistics& trust);

// Sums over all planes of a core of this shape. Errors: those of the planes.
absl::Status AddTrust(const TrustedCore& core, const Shape3& shape, v1::TrustStatistics& trust);

// Compares the models' result with that of a classical method, over all planes of a box of this shape. Errors: those of
// the planes.
absl::Status AddComparison(const CorePlane& estimate, const CorePlane& classical, const Shape3& shape,
                           v1::TrustStatistics& trust);

}  // namespace deconvoy::worker
