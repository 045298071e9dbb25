#include "worker/methods/shrinkage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"
#include "worker/methods/gradient.h"

namespace deconvoy::worker {
namespace {

constexpr int kMostScales = 6;

Wavelet WaveletOf(const std::string& name) {
  if (name == "spline1") return Wavelet::kSpline1;
  if (name == "spline3") return Wavelet::kSpline3;
  if (name == "spline5") return Wavelet::kSpline5;
  return Wavelet::kHaar;
}

// Voxels of the domain from its origin to the first whose position in the frame is a multiple of `grid`.
Voxel StartOf(const Voxel& origin, int64_t grid, const Shape3& domain) {
  const auto along = [grid](int64_t first, int64_t extent) { return (grid - first % grid) % grid % extent; };
  return {along(origin.z, domain.z), along(origin.y, domain.y), along(origin.x, domain.x)};
}

}  // namespace

absl::Status CheckScales(const Parameters& parameters, const Shape3& frame) {
  const int64_t scales = parameters.Integer("scales"), longest = std::max({frame.z, frame.y, frame.x});
  if ((longest >> scales) >= 2) return absl::OkStatus();
  int64_t most = 0;
  while ((longest >> (most + 1)) >= 2) ++most;
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = "deconvolve.parameters[\"scales\"]",
       .remedy = most > 0 ? fmt::format("Give at most {} scales.", most) : "Use another method for so small a frame."},
      fmt::format("{} scales are more than {} x {} x {} voxels have", scales, frame.z, frame.y, frame.x));
}

void DescribeShrinkage(v1::Method& method, bool accelerated) {
  method.set_noise_model("Gaussian");
  AddIterations(method, 50, "Number of iterations");
  AddReal(method, "step", 0, 2, 0, "Length of a step; 0: 1");
  AddChoice(method, "wavelet", "haar", "What the specimen is made of",
            {{"haar", "Blocks: edges stay sharp", 0},
             {"spline1", "Splines of degree 1", 0},
             {"spline3", "Splines of degree 3: smooth specimens", 0},
             {"spline5", "Splines of degree 5", 0}});
  AddInteger(method, "scales", 1, kMostScales, 3, "How often the coarse part is split again");
  AddReal(method, "lambda", 0, 1e9, 0,
          "Strength of the regularisation; 0: half the root of the mean, the noise of a mean voxel", "photons");
  AddCurve(method);
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_halo_factor(accelerated ? 3 : 1.25);
  method.set_bytes_per_padded_voxel(accelerated ? 16.3 : 12.3);
  method.set_bytes_per_measured_voxel(4);
  method.add_backends("cpu");
}

absl::StatusOr<std::unique_ptr<Array>> ShrinkIteratively(const Problem& problem, const Parameters& parameters,
                                                         bool accelerated, Monitor& monitor) {
  const int64_t scales = parameters.Integer("scales");
  const Shape3& domain = problem.ops->domain();
  const double lambda = parameters.Real("lambda");
  DescentOptions options{.nesterov = accelerated};
  options.wavelets = {.wavelet = WaveletOf(parameters.Choice("wavelet")),
                      .scales = static_cast<int>(scales),
                      .start = StartOf(problem.frame_origin, int64_t{1} << scales, domain)};
  options.sparsity = lambda > 0 ? lambda : std::sqrt(std::max(problem.mean, 0.0F)) / 2;
  return Descend(problem, parameters, options, monitor);
}

}  // namespace deconvoy::worker
