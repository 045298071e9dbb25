// The methods for Gaussian noise (docs/methods) in double precision, over direct sums.
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "tests/reference/back_projectors.h"
#include "tests/reference/reference.h"

namespace deconvoy::reference {

// conj h^ / max(|h^|^2 + lambda w^power, least), power 0 or 4, w in radians per voxel; applied to y - b.
Volume Inverse(const Volume& y, const Psf& psf, double background, double lambda, int power, double least = 0);

// conj h^ / (|h^|^2 + 1 / s), applied to y - b: s the signal over noise, at least 1e-6, of the frequency's shell. Shell
// i of n holds w in [i, i + 1) pi / n, the last one those above, too.
Volume WienerByShell(const Volume& y, const Psf& psf, double background, const std::vector<double>& signal_to_noise);

// L*L x, whose Fourier transform is w^4 that of x.
Volume SquaredLaplacian(const Volume& x);

struct DescentOptions {
  int iterations = 20;
  double step = 1;
  double background = 0;
  double lambda = 0;  // of L*L = w^4
  double floor = -std::numeric_limits<double>::infinity();
  double ceiling = std::numeric_limits<double>::infinity();
  bool nesterov = false;
  // A last part of every step, in place of the bounds; empty: none.
  std::function<Volume(const Volume&)> shrink = {};
  // The constraint is applied to a copy in the end and not fed back, as a known tool does.
  bool clip_only_last = false;
};

// x <- clip(p + step (H* m (y - b - H p) - lambda L*L p)), starting with such a step from p = 0; on one circle.
Volume Descend(const Volume& y, const Volume& m, const Psf& psf, const DescentOptions& options);

// x <- x + step (y - b - H x) from x = y - b; on one circle.
Volume VanCittert(const Volume& y, const Psf& psf, double background, double step, int iterations);

}  // namespace deconvoy::reference
