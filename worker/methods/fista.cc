#include "worker/methods/fista.h"

#include "worker/methods/shrinkage.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("fista");
  method.set_title("Fast iterative shrinkage");
  method.set_summary(
      "Keeps few wavelet coefficients: noise goes, structures that wavelets describe stay. Values below zero occur. "
      "For sparse specimens under camera noise.");
  method.set_citation("A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2 (2009) 183");
  DescribeShrinkage(method, /*accelerated=*/true);
  return method;
}

}  // namespace

Fista::Fista() : DescentMethod(Describe(), Momentum::kAlways) {}

absl::Status Fista::ReviewFrame(const Parameters& parameters, const PsfFacts&, const Shape3& frame) const {
  return CheckScales(parameters, frame);
}

absl::StatusOr<std::unique_ptr<Array>> Fista::Run(const Problem& problem, const Parameters& parameters,
                                                  Monitor& monitor) const {
  return ShrinkIteratively(problem, parameters, /*accelerated=*/true, monitor);
}

}  // namespace deconvoy::worker
