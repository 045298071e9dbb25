// Light near the focus of an objective whose pupil has aberrations that are not round (worker/psf/theory/focal_light.h
// has the rest).
//
// With f_s the factors of the integrals of J0, J1, J2 (s = 0, 1, 2; f_{-s} = f_s) and the pupil's phase of modes that
// are not round as angular harmonics, exp(i k U(rho, theta)) = sum over m of W_m(rho) exp(i m theta),
//
//   F_s(r, phi) = sum over l of (-i)^|l| exp(i l phi) int f_s(rho) W_{l-s}(rho) J_|l|(k NA rho r) exp(i k W(rho)) d rho
//
//   scalar, Debye        I = |F_0|^2
//   vortex               I = |F_1|^2
//   vectorial            I = |F_0|^2 + |F_1|^2 + |F_-1|^2 + (|F_2|^2 + |F_-2|^2) / 2
//   polarised along x    I = |F_0 - (F_2 + F_-2) / 2|^2 + |F_2 - F_-2|^2 / 4 + |F_1 + F_-1|^2
//
// which is the round light where all W_m but W_0 = 1 vanish. A tilt of positive strength moves the PSF towards higher x
// (mode 2) or y (mode 3), by 2 rms / NA.
#pragma once

#include <complex>
#include <vector>

#include "worker/psf/theory/focal_light.h"
#include "worker/psf/theory/optics.h"
#include "worker/psf/theory/polar_light.h"

namespace deconvoy::worker {

// Computes it; what does not depend on the stage is computed once. Threads may share one.
class AberratedLight {
 public:
  // As FocalLight.
  AberratedLight(const Optics& optics, LightModel model, double step_um, int count, double reach_um);

  // With the stage at `stage_um`; `polarised` is the illumination along x (kVectorial).
  PolarLight At(double stage_um, bool polarised) const;

  // Directions of its lights for these optics, or more.
  static size_t Directions(const Optics& optics);
  // Bytes of one for so many radii and nodes.
  static double Bytes(const Optics& optics, double count, double nodes);

 private:
  // One F_s.
  struct Spin {
    int s = 0;
    std::vector<double> factors;  // f_s with the integration's weight, per node
  };
  using Complex = std::complex<double>;

  void AddHarmonics(int l, const std::vector<Complex>& phase, std::vector<std::vector<Complex>>& harmonics) const;
  Complex W(int m, size_t node) const;

  const Optics optics_;
  const LightModel model_;
  const size_t count_;
  size_t directions_ = 0;
  std::vector<double> rho_;
  std::vector<Spin> spins_;
  int waves_ = 0;                           // W_m is 0 for |m| above
  std::vector<Complex> w_;                  // per m from -waves_, and node
  int most_ = 0;                            // |l| is at most
  std::vector<int> reach_;                  // per r: |l| above is dark there
  std::vector<std::vector<float>> bessel_;  // per |l|: per r and node
};

}  // namespace deconvoy::worker
