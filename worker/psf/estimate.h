// A PSF that was estimated from one that was given: how it is kept in a volume like that of the given one.
//
// Pure functions; threads may share everything.
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

// The values of `psf`, which lies on the box of `given`, in a volume of `shape`; zeros around. What lies outside the
// volume is lost.
std::vector<float> InVolume(const PreparedPsf& psf, const v1::PsfReport& given, const Shape3& shape);

// How to prepare it again from that volume, as channel `c`: box, centre and rule of `given`, and sums and spreads of
// the values there. REQUIRES: a positive sum.
v1::PsfReport ReportEstimate(const std::vector<float>& volume, const Shape3& shape, const v1::PsfReport& given,
                             uint32_t c);

}  // namespace deconvoy::worker
