#include "worker/psf/theory/focal_light.h"

#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <span>

#include "worker/psf/theory/pupil_integral.h"
#include "worker/psf/theory/quadrature.h"

namespace deconvoy::worker {
namespace {

using Complex = std::complex<double>;

// Transmissions of the interfaces specimen - coverslip - immersion for light that travels that way.
struct Transmissions {
  double s;
  double p;
};

// Of one interface, by the sines' common product s = n sin(theta) (Fresnel).
Transmissions Through(double from, double to, double s) {
  const double cos_from = std::sqrt(1 - s * s / (from * from)), cos_to = std::sqrt(1 - s * s / (to * to));
  return {.s = 2 * from * cos_from / (from * cos_from + to * cos_to),
          .p = 2 * from * cos_from / (to * cos_from + from * cos_to)};
}

Transmissions ThroughLayers(const Optics& optics, double s) {
  const Transmissions first = Through(optics.ri_sample, optics.ri_coverslip, s);
  const Transmissions second = Through(optics.ri_coverslip, optics.ri_immersion, s);
  return {.s = first.s * second.s, .p = first.p * second.p};
}

double CosineInImmersion(const Optics& optics, double rho) {
  const double sine = optics.na * rho / optics.ri_immersion;
  return std::sqrt(1 - sine * sine);
}

// Of I0, I1 and I2.
std::array<double, 3> VectorialFactors(const Optics& optics, double rho) {
  const double s = optics.na * rho;
  const double sine_s = s / optics.ri_sample, cosine_s = std::sqrt(1 - sine_s * sine_s);
  const Transmissions t = ThroughLayers(optics, s);
  const double common = rho / std::sqrt(CosineInImmersion(optics, rho));  // sqrt(cos theta) / cos theta
  return {common * (t.s + t.p * cosine_s), common * t.p * sine_s, common * (t.s - t.p * cosine_s)};
}

double Bessel(int order, double x) {
  switch (order) {
    case 0:
      return ::j0(x);
    case 1:
      return ::j1(x);
    default:
      return x > 0 ? 2 * ::j1(x) / x - ::j0(x) : 0;
  }
}

}  // namespace

std::array<double, 3> PupilFactors(const Optics& optics, LightModel model, double rho) {
  switch (model) {
    case LightModel::kVectorial:
      return VectorialFactors(optics, rho);
    case LightModel::kDebye:
      return {rho / std::sqrt(CosineInImmersion(optics, rho)), 0, 0};
    case LightModel::kVortex:
      return {0, rho, 0};
    case LightModel::kScalar:
      break;
  }
  return {rho, 0, 0};
}

double WholeLight(const Optics& optics, LightModel model) {
  const Quadrature pupil = PupilQuadrature(optics, 0, 0);
  double sum = 0;
  for (size_t i = 0; i < pupil.nodes.size(); ++i) {
    const std::array<double, 3> f = PupilFactors(optics, model, pupil.nodes[i]);
    const double squares = f[0] * f[0] + (model == LightModel::kVortex ? 1 : 2) * f[1] * f[1] + f[2] * f[2];
    sum += pupil.weights[i] * squares / pupil.nodes[i];
  }
  const double frequency = optics.wave_number() * optics.na;
  return 2 * std::numbers::pi * sum / (frequency * frequency);
}

FocalLight::FocalLight(const Optics& optics, LightModel model, double step_um, int count, double reach_um)
    : optics_(optics), model_(model), count_(count) {
  const Quadrature pupil = PupilQuadrature(optics, step_um * count, reach_um);
  rho_ = pupil.nodes;
  const std::vector<int> orders = model == LightModel::kVectorial ? std::vector{0, 1, 2}
                                  : model == LightModel::kVortex  ? std::vector{1}
                                                                  : std::vector{0};
  factors_.assign(orders.size(), std::vector<double>(rho_.size()));
  for (size_t i = 0; i < rho_.size(); ++i) {
    const std::array<double, 3> factors = PupilFactors(optics, model, rho_[i]);
    for (size_t term = 0; term < orders.size(); ++term) {
      factors_[term][i] = pupil.weights[i] * factors[static_cast<size_t>(orders[term])];
    }
  }
  const double scale = optics.wave_number() * optics.na * step_um;
  bessel_.assign(orders.size(), std::vector<float>(rho_.size() * static_cast<size_t>(count)));
  for (size_t term = 0; term < orders.size(); ++term) {
    float* to = bessel_[term].data();
    for (int r = 0; r < count; ++r) {
      for (const double rho : rho_) *to++ = static_cast<float>(Bessel(orders[term], scale * r * rho));
    }
  }
}

RadialLight FocalLight::At(double stage_um, bool polarised) const {
  // The pupil's field, the same for every r.
  const size_t nodes = rho_.size(), terms = factors_.size();
  std::vector<PupilField> fields(terms, PupilField(nodes));
  const double first = OpticalPath(optics_, 0, stage_um);
  for (size_t i = 0; i < nodes; ++i) {
    const Complex phase = std::polar(1.0, optics_.wave_number() * (OpticalPath(optics_, rho_[i], stage_um) - first));
    for (size_t term = 0; term < terms; ++term) fields[term].Set(i, factors_[term][i] * phase);
  }
  const auto integral = [&](size_t term, int r) {
    return PupilSum(std::span(bessel_[term]).subspan(static_cast<size_t>(r) * nodes, nodes), fields[term]);
  };
  RadialLight light;
  light.mean.resize(static_cast<size_t>(count_));
  if (polarised) light.cosine.resize(static_cast<size_t>(count_));
  for (int r = 0; r < count_; ++r) {
    const auto at = static_cast<size_t>(r);
    const Complex i0 = integral(0, r);
    if (model_ != LightModel::kVectorial) {
      light.mean[at] = std::norm(i0);
      continue;
    }
    const Complex i1 = integral(1, r), i2 = integral(2, r);
    light.mean[at] = std::norm(i0) + 2 * std::norm(i1) + std::norm(i2);
    if (polarised) light.cosine[at] = 2 * std::norm(i1) + 2 * (i0 * std::conj(i2)).real();
  }
  return light;
}

}  // namespace deconvoy::worker
