// Optics from which a PSF is computed, checked and completed alike by client, server and worker.
#pragma once

#include <absl/status/status.h>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

// The optics with their defaults filled in; with TWO_PHOTON the emission has the wavelength of the excitation.
v1::Optics ResolveOptics(const v1::ModelPsfSpec& spec);

// Extents that hold nearly all light, odd: up and down four depths of field, at least 1 um; sideways three Airy discs,
// and in the wide field the cone of light at the outermost plane. With a Gaussian of given widths four of these.
// REQUIRES: ValidateModelPsf, all voxel sizes above 0.
Shape3 AmplePsfShape(const v1::ModelPsfSpec& spec);

// INVALID_FIELD, naming the field as `model_psf.optics.na`, its range and what it means, for what can be no microscope,
// and for what this kind of microscope lacks; for layers that differ from the design by more than 500 wavelengths; and
// for extents above 2000 um; for Zernike modes that are unknown, given twice, or together above one wavelength. A shape
// that is not given yet passes.
absl::Status ValidateModelPsf(const v1::ModelPsfSpec& spec);

}  // namespace deconvoy
