#include "worker/methods/network.h"

#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

// y, the result and its spread on their way, and the transforms of the residual.
constexpr double kBytesPerPaddedVoxel = 16, kBytesPerMeasuredVoxel = 16;

v1::Method Describe() {
  v1::Method method;
  method.set_name(kNetworkMethod);
  method.set_title("Networks");
  method.set_summary(
      "Applies models that have been trained for the PSF, in one pass. Fast. Look at the report: it tells how the "
      "result explains the image, and how far it is from a classical method.");
  method.set_citation("that of the network");
  method.set_noise_model("Poisson");
  method.add_boundaries(v1::EXTEND);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(kBytesPerPaddedVoxel);
  method.set_bytes_per_measured_voxel(kBytesPerMeasuredVoxel);
  method.add_backends("cpu");
  method.set_needs_models(true);
  return method;
}

}  // namespace

Network::Network() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> Network::Run(const Problem& problem, const Parameters& /*parameters*/,
                                                    Monitor& monitor) const {
  if (problem.restorer == nullptr) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile.models"},
                     "a tile that models should restore comes without any");
  }
  const Box3& box = problem.measured->box();
  std::vector<float> values(static_cast<size_t>(box.shape.voxels()));
  RETURN_IF_ERROR(problem.ops->Download(*problem.measured, box, values));
  ASSIGN_OR_RETURN(const std::vector<float> restored,
                   problem.restorer->Restore(values, box.shape, problem.frame_origin + box.origin));
  ASSIGN_OR_RETURN(std::unique_ptr<Array> estimate, problem.ops->Allocate(box));
  RETURN_IF_ERROR(problem.ops->Upload(restored, box, *estimate));
  RETURN_IF_ERROR(monitor.Iterated({.done = 1, .total = 1, .estimate = *estimate}));
  return estimate;
}

}  // namespace deconvoy::worker
