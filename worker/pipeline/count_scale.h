// How a job's counts become photons.
#pragma once

#include "deconvoy/v1/jobs.pb.h"
#include "worker/imaging/counts.h"

namespace deconvoy::worker {

// An unset gain is 1.
template <typename Spec>
CountScale ScaleOf(const Spec& spec) {
  return {.offset_counts = spec.offset_counts(),
          .gain = spec.gain_photons_per_count() > 0 ? spec.gain_photons_per_count() : 1,
          .read_noise = spec.read_noise_photons()};
}

}  // namespace deconvoy::worker
