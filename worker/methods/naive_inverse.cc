#include "worker/methods/naive_inverse.h"

#include <algorithm>
#include <vector>

#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"
#include "worker/methods/linear_filter.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("naive-inverse");
  method.set_title("Naive inverse");
  method.set_summary("Divides by the transform of the PSF. Shows what noise does to an inverse; not for results.");
  method.set_citation("D. Sage et al., Methods 115 (2017) 28");
  AddReal(method, "epsilon", 1e-12, 1, 1e-6, "Least squared magnitude that is divided by");
  DescribeFilter(method, /*host_bytes=*/2);
  method.set_halo_factor(kWholeFrames);
  return method;
}

}  // namespace

NaiveInverse::NaiveInverse() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> NaiveInverse::Run(const Problem& problem, const Parameters& parameters,
                                                         Monitor& monitor) const {
  const auto epsilon = static_cast<float>(parameters.Real("epsilon"));
  ASSIGN_OR_RETURN(std::vector<float> penalty, MagnitudeOf(*problem.ops, *problem.otf));
  for (float& v : penalty) v = std::max(epsilon - v * v, 0.0F);
  return ApplyFilter(problem, {.penalty = penalty, .keeps_constants = false}, monitor);
}

}  // namespace deconvoy::worker
