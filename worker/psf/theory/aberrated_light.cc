#include "worker/psf/theory/aberrated_light.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <span>

#include "worker/psf/theory/pupil_integral.h"
#include "worker/psf/theory/quadrature.h"
#include "worker/psf/theory/zernike.h"

namespace deconvoy::worker {
namespace {

using Complex = std::complex<double>;

constexpr int kAngles = 512;         // of the pupil
constexpr int kMostWaves = 200;      // harmonics of it
constexpr double kLostLight = 1e-7;  // that harmonics may lack at a node
constexpr size_t kMostDirections = 1024;
constexpr int kBesselMargin = 12;  // J_l(x) is below 1e-7 for l above x + 3 cbrt(x) by so many

// Harmonics that phase modulations of this strength need: J_n(a) of a modulation a falls off above n = a.
int EstimatedWaves(const Optics& optics) {
  double waves = 0;
  for (const ZernikeTerm& term : optics.zernike) {
    const ZernikeMode mode = ModeOf(term.noll);
    if (mode.round()) continue;
    const double depth = optics.wave_number() * std::abs(term.rms_um) * std::sqrt(2.0 * (mode.radial + 1));
    waves += mode.angular * (depth + 3 * std::cbrt(depth) + 2);
  }
  return std::min(static_cast<int>(std::ceil(waves)), kMostWaves);
}

// All W_m of one node, from -most to most.
std::vector<Complex> HarmonicsAt(const Optics& optics, double rho, int most) {
  std::vector<Complex> pupil(kAngles), roots(kAngles), harmonics;
  for (int k = 0; k < kAngles; ++k) {
    const double theta = 2 * std::numbers::pi * k / kAngles;
    pupil[static_cast<size_t>(k)] = std::polar(1.0, optics.wave_number() * UnroundPath(optics, rho, theta));
    roots[static_cast<size_t>(k)] = std::polar(1.0, -theta);
  }
  for (int m = -most; m <= most; ++m) {
    Complex sum = 0;
    for (int k = 0; k < kAngles; ++k) {
      const int turn = ((m * k) % kAngles + kAngles) % kAngles;
      sum += pupil[static_cast<size_t>(k)] * roots[static_cast<size_t>(turn)];
    }
    harmonics.push_back(sum / static_cast<double>(kAngles));
  }
  return harmonics;
}

// The least number of harmonics on both sides of 0 that hold nearly all light at every node.
int NeededWaves(const std::vector<std::vector<Complex>>& nodes, int most) {
  int needed = 0;
  for (const std::vector<Complex>& node : nodes) {
    const auto at = [&](int m) { return std::norm(node[static_cast<size_t>(m + most)]); };
    double held = at(0);
    int waves = 0;
    while (held < 1 - kLostLight && waves < most) {
      ++waves;
      held += at(waves) + at(-waves);
    }
    needed = std::max(needed, waves);
  }
  return needed;
}

std::vector<int> SpinsOf(LightModel model) {
  switch (model) {
    case LightModel::kVectorial:
      return {0, 1, -1, 2, -2};
    case LightModel::kVortex:
      return {1};
    default:
      return {0};
  }
}

// (-i)^|l|
Complex Turn(int l) {
  constexpr Complex kTurns[] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
  return kTurns[std::abs(l) % 4];
}

double Intensity(LightModel model, bool polarised, std::span<const Complex> f) {
  if (model != LightModel::kVectorial) return std::norm(f[0]);
  if (polarised) {
    return std::norm(f[0] - 0.5 * (f[3] + f[4])) + std::norm(f[3] - f[4]) / 4 + std::norm(f[1] + f[2]);
  }
  return std::norm(f[0]) + std::norm(f[1]) + std::norm(f[2]) + (std::norm(f[3]) + std::norm(f[4])) / 2;
}

// Enough for so many harmonics of the pupil.
size_t DirectionsFor(int waves) {
  return std::clamp<size_t>(20 * (static_cast<size_t>(waves) + 2), 64, kMostDirections) / 8 * 8;
}

}  // namespace

size_t AberratedLight::Directions(const Optics& optics) {
  return DirectionsFor(EstimatedWaves(optics));
}

double AberratedLight::Bytes(const Optics& optics, double count, double nodes) {
  const double orders = EstimatedWaves(optics) + 3;
  return sizeof(float) * orders * count * nodes +
         sizeof(double) * count * static_cast<double>(Directions(optics)) * 4;  // lights of one plane
}

AberratedLight::AberratedLight(const Optics& optics, LightModel model, double step_um, int count, double reach_um)
    : optics_(optics), model_(model), count_(static_cast<size_t>(count)) {
  const Quadrature pupil = PupilQuadrature(optics, step_um * count, reach_um);
  rho_ = pupil.nodes;
  const int estimated = EstimatedWaves(optics);
  std::vector<std::vector<Complex>> harmonics;
  for (const double rho : rho_) harmonics.push_back(HarmonicsAt(optics, rho, estimated));
  waves_ = NeededWaves(harmonics, estimated);
  directions_ = DirectionsFor(waves_);
  for (int m = -waves_; m <= waves_; ++m) {
    for (const auto& node : harmonics) w_.push_back(node[static_cast<size_t>(m + estimated)]);
  }
  for (const int s : SpinsOf(model)) {
    Spin& spin = spins_.emplace_back(Spin{s, {}});
    for (size_t i = 0; i < rho_.size(); ++i) {
      spin.factors.push_back(pupil.weights[i] * PupilFactors(optics, model, rho_[i])[static_cast<size_t>(std::abs(s))]);
    }
    most_ = std::max(most_, waves_ + std::abs(s));
  }
  const double scale = optics.wave_number() * optics.na * step_um;
  for (int r = 0; r < count; ++r) {
    const double x = scale * r;
    reach_.push_back(std::min(most_, static_cast<int>(std::ceil(x + 3 * std::cbrt(x))) + kBesselMargin));
  }
  bessel_.assign(static_cast<size_t>(most_) + 1, std::vector<float>(rho_.size() * count_));
  for (int l = 0; l <= most_; ++l) {
    float* to = bessel_[static_cast<size_t>(l)].data();
    for (int r = 0; r < count; ++r) {
      if (reach_[static_cast<size_t>(r)] < l) {
        to += rho_.size();
        continue;
      }
      for (const double rho : rho_) *to++ = static_cast<float>(::jn(l, scale * r * rho));
    }
  }
}

Complex AberratedLight::W(int m, size_t node) const {
  return std::abs(m) > waves_ ? 0 : w_[static_cast<size_t>(m + waves_) * rho_.size() + node];
}

// Of +l and -l: `harmonics` of each spin, per r and l from -most_.
void AberratedLight::AddHarmonics(int l, const std::vector<Complex>& phase,
                                  std::vector<std::vector<Complex>>& harmonics) const {
  const size_t nodes = rho_.size(), orders = 2 * static_cast<size_t>(most_) + 1;
  for (const int sign : {1, -1}) {
    if (l == 0 && sign < 0) break;
    for (size_t s = 0; s < spins_.size(); ++s) {
      const int m = sign * l - spins_[s].s;
      if (std::abs(m) > waves_) continue;
      PupilField field(nodes);
      for (size_t i = 0; i < nodes; ++i) field.Set(i, spins_[s].factors[i] * W(m, i) * phase[i]);
      for (size_t r = 0; r < count_; ++r) {
        if (reach_[r] < l) continue;
        const auto bessel = std::span(bessel_[static_cast<size_t>(l)]).subspan(r * nodes, nodes);
        harmonics[s][r * orders + static_cast<size_t>(sign * l + most_)] = Turn(l) * PupilSum(bessel, field);
      }
    }
  }
}

PolarLight AberratedLight::At(double stage_um, bool polarised) const {
  const size_t orders = 2 * static_cast<size_t>(most_) + 1;
  std::vector<Complex> phase;
  const double first = OpticalPath(optics_, 0, stage_um);
  for (const double rho : rho_) {
    phase.push_back(std::polar(1.0, optics_.wave_number() * (OpticalPath(optics_, rho, stage_um) - first)));
  }
  std::vector<std::vector<Complex>> harmonics(spins_.size(), std::vector<Complex>(count_ * orders));
  for (int l = 0; l <= most_; ++l) AddHarmonics(l, phase, harmonics);
  std::vector<double> cosines(directions_), sines(directions_);
  for (size_t k = 0; k < directions_; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(directions_);
    cosines[k] = std::cos(angle);
    sines[k] = std::sin(angle);
  }
  PolarLight light{directions_, std::vector<double>(count_ * directions_)};
  std::vector<Complex> fields(spins_.size());
  for (size_t r = 0; r < count_; ++r) {
    for (size_t k = 0; k < directions_; ++k) {
      for (size_t s = 0; s < spins_.size(); ++s) {
        const Complex* of_r = harmonics[s].data() + r * orders + static_cast<size_t>(most_);
        Complex sum = of_r[0];
        for (int l = 1; l <= reach_[r]; ++l) {
          const size_t turn = static_cast<size_t>(l) * k % directions_;
          const Complex even = of_r[l] + of_r[-l], odd = of_r[l] - of_r[-l];
          sum += cosines[turn] * even + sines[turn] * Complex(-odd.imag(), odd.real());
        }
        fields[s] = sum;
      }
      light.values[r * directions_ + k] = Intensity(model_, polarised, fields);
    }
  }
  return light;
}

}  // namespace deconvoy::worker
