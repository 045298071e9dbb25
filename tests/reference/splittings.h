// The alternating direction method of multipliers in double precision, over direct sums (docs/methods/admm.md).
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "tests/reference/back_projectors.h"
#include "tests/reference/reference.h"

namespace deconvoy::reference {

enum class Order { kNone, kFirst, kSecond };
enum class Noise { kPoisson, kGaussian };

// Differences that go round, each part a volume: z, y, x, or zz, yy, xx, zy, zx, yx of which the mixed ones count
// twice. And their adjoint. REQUIRES: parts.
std::vector<Volume> PartsOf(const Volume& x, Order slopes, const std::array<double, 3>& factors);
Volume FromParts(const std::vector<Volume>& parts, Order slopes, const std::array<double, 3>& factors);

// t with its voxels' parts together drawn to 0 by `threshold`.
std::vector<Volume> Drawn(const std::vector<Volume>& t, double threshold);

// The sum of the lengths of the voxels' parts.
double Length(const std::vector<Volume>& parts);

// s - y ln s over s >= 0, or (s - y)^2 / (2 variance), with s = z + background.
double Misfit(Noise noise, double y, double z, double background, double variance);
// The z where rho/2 (z - t)^2 plus that is least, by search.
double LeastMisfit(Noise noise, double y, double t, double background, double variance, double rho);

struct SplitOptions {
  int iterations = 20;
  Order slopes = Order::kFirst;
  Noise noise = Noise::kPoisson;
  double lambda = 0;
  double weight = 0.1;          // of the penalty of x's copy over that of the data's
  double slopes_weight = 0.01;  // of that of D x's copy
  double penalty = 0.0625;      // the first rho, over 1 / mean
  double relaxation = 1.7;
  double background = 0;
  double mean = 0;  // of y
  std::array<double, 3> factors = {1, 1, 1};
  bool balancing = false;
  // z2 of x + u2, given rho; empty: what is above 0.
  std::function<Volume(const Volume&, double rho)> denoise = {};
  // Called with rho after each iteration.
  std::function<void(double rho)> watch = {};
};

// z2 after the iterations, from x0; on one circle. y and b as measured, m 0 or 1.
Volume Split(const Volume& y, const Volume& m, const Psf& psf, const Volume& x0, const SplitOptions& options);

// x of |x - v|^2 / 2 + sigma |D x|_1 after so many steps p <- P(p + D (v - D* p) / (4 sum of squared factors)) of its
// dual, from `p` on, which is left as it then is; empty: 0.
Volume Flattened(const Volume& v, double sigma, const std::array<double, 3>& factors, int steps,
                 std::vector<Volume>& p);

// The sum over m of the misfit of H x, plus lambda times the length of x's parts.
double Objective(const Volume& x, const Volume& y, const Volume& m, const Psf& psf, const SplitOptions& options);

}  // namespace deconvoy::reference
