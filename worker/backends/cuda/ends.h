// The epilogues of convolutions as values of kernels: what becomes of the value v of a convolution at a voxel of the
// domain. Formulas, names and requirements are those of worker/ops/backend.h. Comparisons are written so that what is
// not a number stays so.
//
// Each has `Value<kTells>(z, y, x, v, sums)`, what is stored there; with kTells it adds to the sums that were asked
// for.
#pragma once

#include <variant>

#include "worker/backends/cuda/fields.h"
#include "worker/backends/cuda/starts.h"

namespace deconvoy::worker::cuda {

DECONVOY_DEVICE float AtLeast(float value, float floor) {
  return value < floor ? floor : value;
}

// model - y + y ln(y / model), with 0 ln 0 = 0.
DECONVOY_DEVICE double Divergence(float y, float model) {
  const double m = model, measured = y, ratio = (measured > 0 ? measured : m) / m;
  return m - measured + measured * log(ratio);
}

struct StoreEnd {
  using Sums = Totals<1>;
  float offset, floor;
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t, int64_t, int64_t, float v, Sums&) const {
    return AtLeast(v + offset, floor);
  }
};

// Sums: the I-divergence and the squares.
struct RatioEnd {
  using Sums = Totals<2>;
  Field y, mask;
  float background, floor, raise;
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums& sums) const {
    if (!y.holds(k, j, i)) return 0;
    const float measured = y.at(k, j, i), m = mask.data != nullptr ? mask.at(k, j, i) : 1.0F;
    if (kTells && m != 0) {
      sums.value[0] += m * Divergence(measured, AtLeast(v + background, floor));
      const float residual = measured - (v + background);
      sums.value[1] += m * (static_cast<double>(residual) * residual);
    }
    return (measured + raise) / AtLeast(v + (background + raise), floor) * m;
  }
};

// Sums: the squares.
struct ResidualEnd {
  using Sums = Totals<1>;
  Field y, mask;
  float background;
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums& sums) const {
    if (!y.holds(k, j, i)) return 0;
    const float residual = y.at(k, j, i) - (v + background);
    const float m = mask.data != nullptr ? mask.at(k, j, i) : 1.0F;
    if (kTells) sums.value[0] += m * (static_cast<double>(residual) * residual);
    return residual * m;
  }
};

// Sums: <g, g_previous> and |g_previous|^2.
struct MultiplyEnd {
  using Sums = Totals<2>;
  Extrapolated p;
  WeightField weights;
  float weight_floor, floor, full_weight;
  Field penalty;
  float strength, least_denominator;
  Field change;  // there where it tells
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums& sums) const {
    const float before = p.at(k, j, i);
    const float w = weights.table != nullptr ? weights.at(k, j, i) : 1.0F;
    float value;
    if (penalty.data != nullptr) {
      value = before * v / (w * AtLeast(1 + strength * penalty.at(k, j, i), least_denominator));
    } else {
      const float d = AtLeast(w, full_weight);
      value = before * (v + (d - w)) / d;
    }
    const float after = w >= weight_floor ? AtLeast(value, floor) : before;
    if (kTells) {
      float& g = change.at(k, j, i);
      const float now = after - before;
      sums.value[0] += static_cast<double>(now) * g;
      sums.value[1] += static_cast<double>(g) * g;
      g = now;
    }
    return after;
  }
};

// Sums: the squares of the step.
struct AddEnd {
  using Sums = Totals<1>;
  Extrapolated p;
  float step;
  Field addend;  // or null
  float scale, offset, floor, ceiling;
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums& sums) const {
    const float moved = step * v + (addend.data != nullptr ? scale * addend.at(k, j, i) : 0.0F);
    if (kTells) sums.value[0] += static_cast<double>(moved) * moved;
    const float raised = AtLeast(p.at(k, j, i) + moved + offset, floor);
    return raised > ceiling ? ceiling : raised;
  }
};

struct DivideEnd {
  using Sums = Totals<1>;
  WeightField weights;
  float weight_floor, otherwise;
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums&) const {
    if (weights.table == nullptr) return v;
    const float w = weights.at(k, j, i);
    return w >= weight_floor ? v / w : otherwise;
  }
};

struct ConsensusEnd {
  using Sums = Totals<1>;
  Field first, second, x;
  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums&) const {
    const float before = x.at(k, j, i);
    const float stepped = before * (0.5F * (first.at(k, j, i) + second.at(k, j, i)));
    return v < 0 ? before : AtLeast(stepped, 0);
  }
};

// Sums: of the norms the primal, the dual and the size; the objective; the squares.
struct DataEnd {
  using Sums = Totals<5>;
  Field y, mask, t;
  bool poisson;
  float background, scale, relaxation;
  float inverse_rho;  // of kPoisson
  float pull;         // of kGaussian: 1 / (1 + rho variance)
  float kept;         // 0 where u1 is 0 before, else 1
  bool tells_objective;
  float floor;
  double half_precision;  // 1 / (2 variance)

  // P(t): for kPoisson the positive root s of s^2 - w s - y / rho = 0 with w = t + background - 1 / rho, less the
  // background, in the form that does not cancel.
  DECONVOY_DEVICE float Nearest(float of_t, float of_y) const {
    if (!poisson) return of_t + pull * (of_y - background - of_t);
    const float w = of_t + (background - inverse_rho), c = AtLeast(of_y, 0) * inverse_rho;
    const float root = sqrtf(w * w + 4 * c);
    const float s = w >= 0 ? 0.5F * (w + root) : 2 * c / (root - w);
    return s - background;
  }

  template <bool kTells>
  DECONVOY_DEVICE float Value(int64_t k, int64_t j, int64_t i, float v, Sums& sums) const {
    if (!y.holds(k, j, i)) return v;
    const float m = mask.data != nullptr ? mask.at(k, j, i) : 1.0F;
    if (m == 0) return v;
    const float measured = y.at(k, j, i);
    float& of_t = t.at(k, j, i);
    const float z_before = Nearest(of_t, measured), u_before = kept * (of_t - z_before);
    const float next = relaxation * v + (1 - relaxation) * z_before + u_before;
    const float z = Nearest(next, measured), u = next - z;
    of_t = z + scale * u;
    if (kTells) {
      const float primal = v - z, dual = z - z_before, residual = measured - (v + background);
      sums.value[0] += static_cast<double>(primal) * primal;
      sums.value[1] += static_cast<double>(dual) * dual;
      sums.value[2] += static_cast<double>(z) * z;
      if (tells_objective && poisson) sums.value[3] += Divergence(measured, AtLeast(v + background, floor));
      if (tells_objective && !poisson) sums.value[3] += static_cast<double>(residual) * residual * half_precision;
      sums.value[4] += m * (static_cast<double>(residual) * residual);
    }
    return z - scale * u;
  }
};

using End = std::variant<StoreEnd, RatioEnd, ResidualEnd, MultiplyEnd, AddEnd, DivideEnd, ConsensusEnd, DataEnd>;

}  // namespace deconvoy::worker::cuda
