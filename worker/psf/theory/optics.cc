#include "worker/psf/theory/optics.h"

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cmath>
#include <complex>
#include <numbers>
#include <tuple>
#include <utility>

#include "worker/psf/theory/quadrature.h"
#include "worker/psf/theory/zernike.h"

namespace deconvoy::worker {
namespace {

// Of a ray of sine s in a layer of index n: n cos(theta).
double Axial(double n, double s) {
  return std::sqrt(std::max(n * n - s * s, 0.0));
}

// Light on the axis with the stage at f, relative.
double OnAxis(const Optics& optics, const Quadrature& pupil, double stage_um) {
  std::complex<double> sum = 0;
  for (size_t i = 0; i < pupil.nodes.size(); ++i) {
    const double rho = pupil.nodes[i];
    sum += pupil.weights[i] * rho * std::polar(1.0, optics.wave_number() * OpticalPath(optics, rho, stage_um));
  }
  return std::norm(sum);
}

}  // namespace

double Optics::open_radius() const {
  const double least = std::min({ri_immersion, ri_immersion_design, ri_sample, ri_coverslip, ri_coverslip_design});
  return std::min(1.0, least / na);
}

double Optics::wave_number() const {
  return 2 * std::numbers::pi / wavelength_um;
}

bool Optics::round() const {
  return std::all_of(zernike.begin(), zernike.end(), [](const ZernikeTerm& t) { return ModeOf(t.noll).round(); });
}

double OpticalPath(const Optics& optics, double rho, double stage_um) {
  const double s = optics.na * rho;
  double aberration = 0;
  for (const ZernikeTerm& term : optics.zernike) {
    const ZernikeMode mode = ModeOf(term.noll);
    if (mode.round()) aberration += term.rms_um * RadialPart(mode, rho);
  }
  return aberration + optics.depth_um * Axial(optics.ri_sample, s) - stage_um * Axial(optics.ri_immersion, s) +
         optics.working_distance_um * (Axial(optics.ri_immersion, s) - Axial(optics.ri_immersion_design, s)) +
         optics.coverslip_um * Axial(optics.ri_coverslip, s) -
         optics.coverslip_design_um * Axial(optics.ri_coverslip_design, s);
}

double UnroundPath(const Optics& optics, double rho, double theta) {
  double path = 0;
  for (const ZernikeTerm& term : optics.zernike) {
    if (!ModeOf(term.noll).round()) path += term.rms_um * Zernike(term.noll, rho, theta);
  }
  return path;
}

double BestFocus(const Optics& aberrated) {
  Optics optics = aberrated;
  optics.zernike.clear();
  // Where rays near the axis meet, and how far aberrations may move the focus from there: where those at the rim do.
  const auto meeting = [&](double rho) {
    constexpr double kStep = 1e-4;
    const double slope = OpticalPath(optics, rho, 0) - OpticalPath(optics, rho - kStep, 0);
    const double per_um =
        Axial(optics.ri_immersion, optics.na * rho) - Axial(optics.ri_immersion, optics.na * (rho - kStep));
    return slope / per_um;
  };
  const double paraxial = meeting(0.01), marginal = meeting(0.98 * optics.open_radius());
  const double depth_of_field = optics.wavelength_um * optics.ri_immersion / (optics.na * optics.na);
  const double begin = std::min(paraxial, marginal) - 2 * depth_of_field;
  const double end = std::max(paraxial, marginal) + 2 * depth_of_field;
  const Quadrature pupil = PupilQuadrature(optics, 0, std::max(std::abs(begin), std::abs(end)));
  const double step = depth_of_field / 8;
  double best = begin, light = -1;
  for (double f = begin; f <= end; f += step) {
    const double here = OnAxis(optics, pupil, f);
    if (here > light) std::tie(best, light) = std::pair(f, here);
  }
  const auto dark = [&](double f) { return -OnAxis(optics, pupil, f); };
  return boost::math::tools::brent_find_minima(dark, best - step, best + step, 24).first;
}

}  // namespace deconvoy::worker
