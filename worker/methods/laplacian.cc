#include "worker/methods/laplacian.h"

#include <vector>

#include "proto/contract/tile_plan.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"
#include "worker/methods/linear_filter.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("laplacian");
  method.set_title("Laplacian regularised inverse");
  method.set_summary(
      "Inverts the blur in one step and keeps the result smooth: takes more from high frequencies than tikhonov and "
      "leaves low ones alone.");
  method.set_citation("D. Sage et al., Methods 115 (2017) 28");
  AddReal(method, "lambda", 1e-12, 1000, 1e-3, "Strength of the regularisation");
  MakeAutomatic(method);
  DescribeFilter(method, /*host_bytes=*/2);
  method.set_halo_factor(kWholeFrames);
  return method;
}

}  // namespace

Laplacian::Laplacian() : DescribedMethod(Describe()) {}

std::vector<float> Laplacian::PenaltyOf(const Shape3& domain) const {
  return FourthPowers(domain, 1);
}

absl::StatusOr<std::unique_ptr<Array>> Laplacian::Run(const Problem& problem, const Parameters& parameters,
                                                      Monitor& monitor) const {
  const std::vector<float> penalty = FourthPowers(problem.ops->domain(), parameters.Real("lambda"));
  return ApplyFilter(problem, {.penalty = penalty, .keeps_constants = false}, monitor);
}

}  // namespace deconvoy::worker
