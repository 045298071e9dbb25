#include "worker/psf/theory/quadrature.h"

#include <algorithm>
#include <boost/math/special_functions/legendre.hpp>
#include <cmath>
#include <initializer_list>

#include "worker/psf/theory/zernike.h"

namespace deconvoy::worker {
namespace {

// How far the phase of W moves over the pupil, up and down.
double PhaseTravel(const Optics& optics, double stage_um) {
  constexpr int kSteps = 64;
  double travel = 0, before = OpticalPath(optics, 0, stage_um);
  for (int i = 1; i <= kSteps; ++i) {
    const double here = OpticalPath(optics, optics.open_radius() * i / kSteps, stage_um);
    travel += std::abs(here - before);
    before = here;
  }
  return optics.wave_number() * travel;
}

// How far modes that are not round may move it, at most: a radial part has at most as many bends as its order.
double UnroundTravel(const Optics& optics) {
  double travel = 0;
  for (const ZernikeTerm& term : optics.zernike) {
    const ZernikeMode mode = ModeOf(term.noll);
    if (!mode.round()) travel += std::abs(term.rms_um) * std::sqrt(2.0 * (mode.radial + 1)) * (mode.radial + 1);
  }
  return optics.wave_number() * travel;
}

}  // namespace

Quadrature GaussLegendre(double begin, double end, int count) {
  const double middle = (begin + end) / 2, half = (end - begin) / 2;
  Quadrature rule;
  const auto add = [&](double x) {
    const double slope = boost::math::legendre_p_prime(count, x);
    rule.nodes.push_back(middle + half * x);
    rule.weights.push_back(half * 2 / ((1 - x * x) * slope * slope));
  };
  for (const double x : boost::math::legendre_p_zeros<double>(count)) {  // those from 0 on
    add(x);
    if (x > 0) add(-x);
  }
  return rule;
}

int PupilNodes(const Optics& optics, double radius_um, double stage_um) {
  const double bessel = optics.wave_number() * optics.na * radius_um;
  const double path = std::max({PhaseTravel(optics, stage_um), PhaseTravel(optics, -stage_um), PhaseTravel(optics, 0)});
  return 40 + static_cast<int>(std::ceil((bessel + path + UnroundTravel(optics)) / 2));
}

Quadrature PupilQuadrature(const Optics& optics, double radius_um, double stage_um) {
  return GaussLegendre(0, optics.open_radius(), PupilNodes(optics, radius_um, stage_um));
}

}  // namespace deconvoy::worker
