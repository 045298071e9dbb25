// The data's side of the methods that split the estimate (alternating direction method of multipliers).
//
//   x <- G (H* (z1 - u1) + g r),   G^ = 1 / (|h^|^2 + g (1 + k^)),   then z1 and u1 take up H x
//
// H convolution with the PSF (sum 1), r what the other splittings add up to, k^ their differences' eigenvalues, P1 and
// the update those of a DataSplit (worker/ops/backend.h). Where nothing was measured z1 is H x and u1 is 0.
//
// G is a product of frequencies because everything in it goes round the domain, differences too.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <memory>

#include "worker/methods/curve.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

// The mean that scales take: that of y, above 0.
float ScaleOf(const Problem& problem);

// The parameter `noise`: `poisson` (default) or `gaussian`.
void AddNoise(v1::Method& method);
Noise NoiseOf(const Parameters& parameters);

// The primal and the dual residual of an update, squared, over the squared size of the copies: |K x - z|^2 / |z|^2 and
// |z - z of the step before|^2 / |z|^2; over copies that are 0 it is 1, or where it is 0 itself, 0.
void TellResiduals(const SplitNorms& norms, Measures& measures);

class DataSplitting {
 public:
  struct Options {
    Noise noise = Noise::kPoisson;  // the variance of Gaussian noise is the mean of y
    Slopes slopes = Slopes::kNone;  // of the other splittings
    std::array<float, 3> factors = {1, 1, 1};
    float weight = 1;       // g
    float penalty = 0.25F;  // the first rho, over 1 / mean y
    float relaxation = 1;   // of every update
  };
  // `problem` must outlive it.
  DataSplitting(const Problem& problem, const Options& options)
      : problem_(problem), options_(options), rho_(options.penalty / ScaleOf(problem)) {}

  // z1 = P1(H x). Uses up x, which covers the domain.
  absl::Status Start(Array& x);

  // One update, with its norms; the penalty rho is divided by `scale` for those that follow. `x` may be what r reads.
  // `measures` receives objective and squares of H x; null: they are not found.
  absl::StatusOr<SplitNorms> Solve(const Prologue& r, float scale, Measures* measures, Array& x);

  float rho() const { return rho_; }  // of the data; that of the others is g rho

 private:
  absl::Status MakeInverse();
  DataSplit Update(float scale);

  // Constant after `Start`.
  const Problem& problem_;
  const Options options_;
  std::unique_ptr<Otf> inverse_;

  // From update to update.
  float rho_;
  std::unique_ptr<Array> t_;
  std::unique_ptr<Spectrum> q_;
};

}  // namespace deconvoy::worker
