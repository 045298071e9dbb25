#include "worker/methods/tikhonov_miller.h"

#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("tikhonov-miller");
  method.set_title("Tikhonov-Miller");
  method.set_summary(
      "Descends the squared residuals plus the roughness of the estimate. Linear, so that values below zero occur.");
  method.set_citation("G. M. P. van Kempen et al., J. Microsc. 185 (1997) 354");
  AddReal(method, "lambda", 1e-12, 1000, 1e-3, "Strength of the regularisation");
  DescribeDescent(method, /*smooth=*/true);
  method.set_halo_factor(1.25);
  return method;
}

}  // namespace

TikhonovMiller::TikhonovMiller() : DescentMethod(Describe(), Momentum::kChosen) {}

absl::Status TikhonovMiller::ReviewFrame(const Parameters& parameters, const PsfFacts& psf, const Shape3& frame) const {
  return CheckSmoothStep(parameters, psf, frame);
}

absl::StatusOr<std::unique_ptr<Array>> TikhonovMiller::Run(const Problem& problem, const Parameters& parameters,
                                                           Monitor& monitor) const {
  return Descend(problem, parameters, {.lambda = parameters.Real("lambda"), .nesterov = IsNesterov(parameters)},
                 monitor);
}

}  // namespace deconvoy::worker
