// A microscope's optics, and the phase that they give to light on its way through the pupil.
//
// Layers between a point in the specimen and the objective: specimen (refractive index n_s, the point `depth_um` below
// the coverslip), coverslip (n_g, thickness t_g), immersion (n_i). What the objective was designed for is marked
// `design`; it sees a perfect image of a point at the coverslip then.
//
// A ray leaves at the sine s = NA rho of the marginal ray, rho in [0, 1] the radius in the pupil. With the stage f um
// deeper than where it would focus on the coverslip, its optical path exceeds the design's by (S. F. Gibson and F.
// Lanni, JOSA A 9 (1992) 154)
//
//   W(rho) = d sqrt(n_s^2 - s^2) - f sqrt(n_i^2 - s^2) + t_i ( sqrt(n_i^2 - s^2) - sqrt(n_i*^2 - s^2) )
//          + t_g sqrt(n_g^2 - s^2) - t_g* sqrt(n_g*^2 - s^2)
//
// d depth, t_i working distance, * design; and the Zernike modes of worker/psf/theory/zernike.h times their strengths.
// Pure functions.
#pragma once

#include <vector>

namespace deconvoy::worker {

// An aberration of the pupil of radius 1, at the sine NA.
struct ZernikeTerm {
  int noll = 1;       // number of the mode
  double rms_um = 0;  // of the optical path
};

// All lengths in um, all refractive indices pure numbers. In the ranges of proto/contract/model_psf.h.
struct Optics {
  double na = 0;             // numerical aperture of the objective
  double wavelength_um = 0;  // in vacuum
  double ri_immersion = 1.515;
  double ri_immersion_design = 1.515;
  double ri_sample = 1.515;
  double ri_coverslip = 1.5255;
  double ri_coverslip_design = 1.5255;
  double coverslip_um = 170;
  double coverslip_design_um = 170;
  double working_distance_um = 150;
  double depth_um = 0;
  std::vector<ZernikeTerm> zernike;

  // Whether all aberrations are.
  bool round() const;
  // The part of the pupil, in rho, through which light of a point gets: less than 1 where the NA exceeds an index.
  double open_radius() const;
  // 2 pi / wavelength.
  double wave_number() const;
};

// W in um, with those Zernike modes that are round. REQUIRES: 0 <= rho <= open_radius().
double OpticalPath(const Optics& optics, double rho, double stage_um);

// What the other Zernike modes add to W, theta in radians from x towards y.
double UnroundPath(const Optics& optics, double rho, double theta);

// Where the stage has the point in best focus but for Zernike modes: the f of the brightest axial point, to 1 nm. For
// an ideal point at the coverslip 0.
double BestFocus(const Optics& optics);

}  // namespace deconvoy::worker
