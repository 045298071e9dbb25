// Light near the focus of an objective, as a function of the distance r from the axis and of the stage's position.
//
// Debye: scalar, with 1 / sqrt(cos theta) in the integral, theta the angle in the immersion, which an aplanatic
// objective of high aperture demands. Plain scalar (Born and Wolf, Principles of Optics 8.8; with layers Gibson and
// Lanni, JOSA A 9 (1992) 154), k = 2 pi / wavelength, W of worker/psf/theory/optics.h:
//
//   I = | int_0^1 J0(k NA rho r) exp(i k W(rho)) rho d rho |^2
//
// Vectorial (B. Richards and E. Wolf, Proc. R. Soc. A 253 (1959) 358; layers: P. Torok and P. Varga, Appl. Opt. 36
// (1997) 2305), theta the angle in the immersion, t_s and t_p the transmissions of both interfaces, theta_s the angle
// in the specimen:
//
//   I0 = int sqrt(cos theta) (t_s + t_p cos theta_s) J0 exp(i k W) rho d rho / cos theta
//   I1 = int sqrt(cos theta)  t_p sin theta_s        J1 ...
//   I2 = int sqrt(cos theta) (t_s - t_p cos theta_s) J2 ...
//
// Light of dipoles of all directions, seen without a polariser, and unpolarised illumination:
// I = |I0|^2 + 2 |I1|^2 + |I2|^2. Illumination polarised along x adds cos(2 phi) (2 |I1|^2 + 2 Re(I0 I2*)), phi the
// direction from x.
//
// Depletion (STED; scalar, a vortex of charge 1): I = | int J1(k NA rho r) exp(i k W) rho d rho |^2.
#pragma once

#include <array>
#include <vector>

#include "worker/psf/theory/optics.h"

namespace deconvoy::worker {

enum class LightModel { kScalar, kDebye, kVectorial, kVortex };

// What stands in the integrals of J0, J1 and J2 at one place of the pupil, without phase, Bessel function and d rho; 0
// for integrals that the model does not have. REQUIRES: 0 < rho <= optics.open_radius().
std::array<double, 3> PupilFactors(const Optics& optics, LightModel model, double rho);

// The integral of the intensity over any plane in um^2; it is the same for all planes, and for all aberrations.
double WholeLight(const Optics& optics, LightModel model);

// Intensities at r = 0, step, 2 step, ... for one stage position.
struct RadialLight {
  std::vector<double> mean;    // over all directions
  std::vector<double> cosine;  // factor of cos(2 phi) for illumination polarised along x; empty where there is none
};

// Computes focal light of a pupil whose aberrations are round; what does not depend on the stage is computed once.
// Threads may share one.
class FocalLight {
 public:
  // For r up to (count - 1) step_um and stages within `reach_um` of 0.
  FocalLight(const Optics& optics, LightModel model, double step_um, int count, double reach_um);

  // With the stage at `stage_um`; `polarised` gives `cosine`, too (kVectorial).
  RadialLight At(double stage_um, bool polarised) const;

 private:
  const Optics optics_;
  const LightModel model_;
  const int count_;
  std::vector<double> rho_;
  std::vector<std::vector<double>> factors_;  // of each integral, per node
  std::vector<std::vector<float>> bessel_;    // of each integral, per r and node
};

}  // namespace deconvoy::worker
