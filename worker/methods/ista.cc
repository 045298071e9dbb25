#include "worker/methods/ista.h"

#include "worker/methods/shrinkage.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("ista");
  method.set_title("Iterative shrinkage");
  method.set_summary(
      "Keeps few wavelet coefficients: noise goes, structures that wavelets describe stay. Values below zero occur. "
      "fista does the same sooner.");
  method.set_citation("I. Daubechies, M. Defrise and C. De Mol, Commun. Pure Appl. Math. 57 (2004) 1413");
  DescribeShrinkage(method, /*accelerated=*/false);
  return method;
}

}  // namespace

Ista::Ista() : DescentMethod(Describe(), Momentum::kNone) {}

absl::Status Ista::ReviewFrame(const Parameters& parameters, const PsfFacts&, const Shape3& frame) const {
  return CheckScales(parameters, frame);
}

absl::StatusOr<std::unique_ptr<Array>> Ista::Run(const Problem& problem, const Parameters& parameters,
                                                 Monitor& monitor) const {
  return ShrinkIteratively(problem, parameters, /*accelerated=*/false, monitor);
}

}  // namespace deconvoy::worker
