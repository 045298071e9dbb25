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

// That of one channel: gain and read noise as its analysis found them. Without `facts`, null, as given.
inline CountScale ScaleOf(const v1::DeconvolveSpec& spec, const v1::ChannelFacts* facts) {
  CountScale scale = ScaleOf(spec);
  scale.dark = spec.dark_photons();
  if (facts != nullptr) {
    scale.gain = facts->gain_photons_per_count();
    scale.read_noise = facts->read_noise_photons();
  }
  return scale;
}

}  // namespace deconvoy::worker
