// Point spread functions of kinds of microscopes, from the light near a focus (worker/psf/theory/focal_light.h).
//
// Each plane is a table over the distance from the axis, and over the direction where illumination is polarised or
// aberrations are not round. With h_em the emission's light and h_ex the illumination's,
//
//   widefield      h_em
//   confocal       h_ex (h_em * disc), the disc of the pinhole seen from the specimen
//   spinning disk  h_em ((h_ex * disc) * disc), and more in place of h_ex with other pinholes, below
//   light sheet    h_em(r, z) exp(-4 ln 2 (z / fwhm)^2)
//   two-photon     h_ex^2
//   sted           h_confocal / (1 + saturation h_depletion / max h_depletion)
//
// A pinhole of one Airy unit has the diameter 1.22 wavelength / NA in the specimen.
//
// Spinning disk: pinholes pass light to the specimen and back to the camera. While the pattern moves, a point at x
// lights the camera's place y with h_em(y - x) times the integral over all places u of the pattern of (h_ex * disc)(x -
// u) disc(y - u). E = (h_ex * disc) * disc is that of one pinhole; the others, which are `spacing` apart in hexagons
// and move in all directions, are taken for an even density outside a disc of the area A of one: E + max(0, (integral
// of h_ex) / A - mean of E over that disc). Their light is what a spinning disk has out of focus.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/psf/theory/focal_light.h"
#include "worker/psf/theory/optics.h"

namespace deconvoy::worker {

enum class Microscopy { kWidefield, kConfocal, kLightSheet, kTwoPhoton, kSted, kSpinningDisk };

struct Microscope {
  Microscopy kind = Microscopy::kWidefield;
  LightModel model = LightModel::kVectorial;  // but kVortex
  Optics emission;                            // its wavelength is the emission's
  double excitation_um = 0;                   // confocal, two-photon, sted, spinning disk
  bool polarised = false;                     // illumination along x; kVectorial and confocal only
  double pinhole_au = 1;                      // confocal, sted, spinning disk
  double pinhole_spacing_um = 0;              // spinning disk: of neighbours in the specimen; 0: none is near
  double sheet_fwhm_um = 0;                   // light sheet
  double depletion_um = 0;                    // sted
  double saturation = 0;  // sted: the depletion's greatest intensity over that which halves the fluorescence
  // A Gaussian instead of all light, with the widths of worker/psf/theory/gaussian_model.h, or those that are given
  // here.
  bool gaussian = false;
  double fwhm_um = 0, fwhm_z_um = 0;  // across the axis and along it; 0: from the optics
};

// Where the PSF is to be known.
struct PsfGrid {
  Shape3 shape;                         // its centre is voxel floor(n/2) of each axis
  double z_um = 0, y_um = 0, x_um = 0;  // voxel size, along z that of the stage
};

// Values in z,y,x order, of sum 1, the mean of each voxel's area in its plane. Planes are counted from the best focus
// of the emission; deeper ones have higher z. `threads` compute planes. Illumination is taken to go the way of emission
// backwards. REQUIRES: what ValidateModelPsf demands (proto/contract/model_psf.h).
std::vector<float> MakePsf(const Microscope& microscope, const PsfGrid& grid, int threads);

// Memory that it takes, about. REQUIRES: as above.
double PsfBytes(const Microscope& microscope, const PsfGrid& grid);

}  // namespace deconvoy::worker
