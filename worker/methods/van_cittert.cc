#include "worker/methods/van_cittert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

constexpr double kNegativeReal = -0.01;  // of h^, from which on noise grows visibly in the default iterations

v1::Method Describe() {
  constexpr int64_t kIterations = 10;
  v1::Method method;
  method.set_name("van-cittert");
  method.set_title("Van Cittert");
  method.set_summary(
      "Adds the residual again and again. Only for PSFs that are symmetric and whose transform is positive; noise "
      "grows quickly.");
  method.set_citation("P. H. van Cittert, Z. Phys. 69 (1931) 298");
  method.set_noise_model("Gaussian");
  AddInteger(method, "iterations", 1, 10000, kIterations, "Number of iterations; more sharpen and amplify noise");
  AddReal(method, "step", 1e-3, 2, 1, "Length of a step");
  AddCurve(method);
  method.add_boundaries(v1::MIRROR);
  method.add_boundaries(v1::PERIODIC);
  method.set_transforms_per_iteration(2);
  method.set_halo_factor(2);
  method.set_bytes_per_padded_voxel(12.3);
  method.set_bytes_per_measured_voxel(4);
  method.add_backends("cpu");
  return method;
}

}  // namespace

VanCittert::VanCittert() : DescribedMethod(Describe()) {}

absl::StatusOr<std::vector<Advice>> VanCittert::Review(const Parameters& /*parameters*/, const PsfFacts& psf) const {
  double least = 0;
  for (const PsfAxis& axis : psf.axes) least = std::min(least, axis.least_real);
  if (least >= kNegativeReal) return std::vector<Advice>{};
  return std::vector<Advice>{
      {.message = fmt::format("the real part of the OTF falls to {:.2g}, where this method adds noise instead of "
                              "removing blur",
                              least),
       .field = "deconvolve.method",
       .remedy = "Use `landweber` or `rl`, or a PSF that is centred and symmetric."}};
}

// x + b is what is iterated: H keeps the constant b. A step is the residual before it, times its length: that tells the
// objective.
absl::StatusOr<std::unique_ptr<Array>> VanCittert::Run(const Problem& problem, const Parameters& parameters,
                                                       Monitor& monitor) const {
  Ops& ops = *problem.ops;
  const int64_t iterations = parameters.Integer("iterations");
  const auto step = static_cast<float>(parameters.Real("step"));
  ASSIGN_OR_RETURN(const Curve curve, Curve::Of(problem, parameters, monitor));
  ASSIGN_OR_RETURN(auto x, ops.Allocate(problem.measured->box()));
  RETURN_IF_ERROR(ops.Copy(*problem.measured, x->box(), *x));
  const Extrapolate p{.x = x.get(), .x_previous = nullptr, .alpha = 0, .floor = kNoFloor};
  for (int64_t done = 1; done <= iterations; ++done) {
    double squares = 0;
    RETURN_IF_ERROR(ops.Convolve({problem.otf, /*adjoint=*/false, p,
                                  AddUpdate{.p = p,
                                            .step = -step,
                                            .output = x.get(),
                                            .addend = problem.measured,
                                            .scale = step,
                                            .offset = done == iterations ? -problem.background : 0.0F,
                                            .squares = curve.Tells(done) ? &squares : nullptr}}));
    squares /= step * step;
    RETURN_IF_ERROR(
        monitor.Iterated({done, iterations, *x, curve.After(done, {.objective = squares, .squares = squares})}));
  }
  return x;
}

}  // namespace deconvoy::worker
