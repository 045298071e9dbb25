#include "worker/methods/ictm.h"

#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("ictm");
  method.set_title("Iterative constrained Tikhonov-Miller");
  method.set_summary(
      "Tikhonov-Miller that keeps the estimate at or above zero in every iteration: smooth results from noisy data.");
  method.set_citation("G. M. P. van Kempen et al., J. Microsc. 185 (1997) 354");
  AddReal(method, "lambda", 1e-12, 1000, 1e-3, "Strength of the regularisation");
  DescribeDescent(method, /*smooth=*/true);
  return method;
}

}  // namespace

IterativeConstrainedTikhonovMiller::IterativeConstrainedTikhonovMiller()
    : DescentMethod(Describe(), Momentum::kChosen) {}

absl::Status IterativeConstrainedTikhonovMiller::ReviewFrame(const Parameters& parameters, const PsfFacts& psf,
                                                             const Shape3& frame) const {
  return CheckSmoothStep(parameters, psf, frame);
}

absl::StatusOr<std::unique_ptr<Array>> IterativeConstrainedTikhonovMiller::Run(const Problem& problem,
                                                                               const Parameters& parameters,
                                                                               Monitor& monitor) const {
  return Descend(problem, parameters,
                 {.floor = 0, .lambda = parameters.Real("lambda"), .nesterov = IsNesterov(parameters)}, monitor);
}

}  // namespace deconvoy::worker
