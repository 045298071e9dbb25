// What the statistics of a result say about how it was made (docs/quality.md).
//
// Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::server {

// WARNINGs, each with its number and what can be done: a background set too high, a residual with structure, with more
// or less noise than photons have, noise amplified, ringing, faint structures lost. How much noise is left is judged
// only where a gain is given: counts whose gain nobody has given are taken as photons, which they hardly ever are.
// Of an image whose noise is not white, in which few regions are flat, only rings and a large bias are judged. None for
// a result whose statistics are of too few voxels. `views`: images that a result is made of, 1 or more.
std::vector<v1::Finding> CheckQuality(const v1::DeconvolveSpec& spec, const v1::QualityStatistics& quality,
                                      int64_t views = 1);

}  // namespace deconvoy::server
