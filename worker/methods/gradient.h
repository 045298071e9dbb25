// What the methods that descend a sum of squares have in common.
//
//   x <- clip( p + g ( H* m (y - b - H p) - lambda L*L p ) ),   starting with such a step from p = 0,
//
// followed, where there are `wavelets`, by the shrinkage of worker/methods/shrinkage.h.
//
// x estimate, y measured photons, b background, H convolution with the PSF (sum 1, none negative), m mask of the
// measured voxels (0 in the margin), g the step, L the Laplacian: L*L is w^4, w in radians per voxel. The point p is x,
// or with `nesterov`
//   p = x + (t - 1)/t' (x - x_previous),   t' = (1 + sqrt(1 + 4 t^2)) / 2,   t = 1 at first.
// The clipped or shrunk estimate is what the next step starts from.
//
// The curvature is at most K = max(|h^|^2 + lambda w^4), which is 1 without lambda. A step below 2 / K converges, with
// `nesterov` one of at most 1 / K.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Whether steps are extrapolated.
enum class Momentum {
  kNone,
  kChosen,  // by the parameter `acceleration`
  kAlways,
};

// A method with the parameter `step`.
class DescentMethod : public DescribedMethod {
 public:
  DescentMethod(v1::Method description, Momentum momentum)
      : DescribedMethod(std::move(description)), momentum_(momentum) {}

  // Errors: INVALID_FIELD for a step that is above the bound whatever the PSF, with the bound.
  absl::StatusOr<std::vector<Advice>> Review(const Parameters& parameters, const PsfFacts& psf) const final;

 private:
  const Momentum momentum_;
};

struct DescentOptions {
  float floor = kNoFloor;
  float ceiling = kNoCeiling;
  double lambda = 0;
  bool nesterov = false;
  std::optional<WaveletShrinkage> wavelets = {};  // its threshold is not looked at
  // A last part of every step, given the step's length, where there are no wavelets; empty: none.
  std::function<absl::Status(Array& x, double step)> clean = {};
  double sparsity = 0;  // photons: coefficients are drawn to 0 by half of it times the step
};

// The choice of `acceleration`.
bool IsNesterov(const Parameters& parameters);

// Whether the parameter `step` converges with such a `lambda` and `acceleration`, in frames of such extents. Errors:
// INVALID_FIELD for one that does not, with the bound for this PSF.
absl::Status CheckSmoothStep(const Parameters& parameters, const PsfFacts& psf, const Shape3& frame);

// Adds iterations, step, acceleration and objective, boundaries, noise model, transforms and memory: per padded voxel
// OTF 4, x 4, spectrum 4 and their gaps 0.3; with `smooth` 6 more for L*L and what it gives.
void DescribeDescent(v1::Method& method, bool smooth);

// The objective is |m (y - b - H p)|^2 + lambda |L p|^2 + sparsity |W x|_1, with x as it is before the step. Errors:
// INVALID_FIELD for a step above the bound, with the bound; those of Ops and the monitor.
absl::StatusOr<std::unique_ptr<Array>> Descend(const Problem& problem, const Parameters& parameters,
                                               const DescentOptions& options, Monitor& monitor);

}  // namespace deconvoy::worker
