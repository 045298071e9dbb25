#include "worker/methods/initial_estimate.h"

#include <string>

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"

namespace deconvoy::worker {

void AddInitialEstimate(v1::Method& method) {
  AddChoice(method, "initial", "mean", "Estimate to start from",
            {{"mean", "The mean of the frame everywhere", 0},
             {"image", "The measured image; where it is 0 the estimate stays 0", 0},
             {"previous", "The result of the time point before; the first one starts from the mean", 4}});
}

absl::StatusOr<std::unique_ptr<Array>> InitialEstimate(const Problem& problem, const Parameters& parameters) {
  Ops& ops = *problem.ops;
  const std::string& initial = parameters.Choice("initial");
  const Array* start = initial == "image" ? problem.measured : initial == "previous" ? problem.previous : nullptr;

  ASSIGN_OR_RETURN(auto x, ops.Allocate(Box3{{}, ops.domain()}));
  RETURN_IF_ERROR(ops.Fill(*x, problem.mean));
  if (start != nullptr) RETURN_IF_ERROR(ops.Copy(*start, problem.measured->box(), *x));
  return x;
}

}  // namespace deconvoy::worker
