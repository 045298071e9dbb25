// How a job wants its PSFs prepared.
#pragma once

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/volume_layout.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

// Centre, energy and background; image, voxels and steps are left open. `Spec` is a DeconvolveSpec or CheckPsfSpec that
// ValidateJobSpec accepts.
template <class Spec>
PsfOptions PsfOptionsOf(const Spec& spec) {
  PsfOptions options;
  options.rule = spec.psf_centre();
  options.given = ToVoxel(spec.psf_centre_voxel());
  if (spec.psf_energy() > 0) options.energy = spec.psf_energy();
  if (spec.psf_background_case() == Spec::kPsfBackgroundAuto) options.background = PsfBackground::kAuto;
  if (spec.psf_background_case() == Spec::kPsfBackgroundCounts) {
    options.background = PsfBackground::kGiven;
    options.background_level = spec.psf_background_counts();
  }
  return options;
}

}  // namespace deconvoy::worker
