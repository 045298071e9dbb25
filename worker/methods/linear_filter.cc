#include "worker/methods/linear_filter.h"

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {

void DescribeFilter(v1::Method& method, double host_bytes) {
  method.set_noise_model("Gaussian");
  method.add_boundaries(v1::MIRROR);
  method.add_boundaries(v1::PERIODIC);
  method.set_transforms_per_iteration(2);
  method.set_bytes_per_padded_voxel(16.3 + host_bytes);
  method.set_bytes_per_measured_voxel(4);
  method.add_backends("cpu");
}

absl::StatusOr<std::unique_ptr<Array>> ApplyFilter(const Problem& problem, const SpectralFilter& filter,
                                                   Monitor& monitor) {
  Ops& ops = *problem.ops;
  ASSIGN_OR_RETURN(const auto otf, ops.FilterOtf(*problem.otf, filter));
  ASSIGN_OR_RETURN(auto x, ops.Allocate(Box3{{}, ops.domain()}));
  const float at_zero = 1 / (1 + filter.alpha + (filter.penalty.empty() ? 0.0F : filter.penalty[0]));
  RETURN_IF_ERROR(ops.Convolve({otf.get(), /*adjoint=*/true, Identity{problem.measured},
                                Store{.output = x.get(), .offset = -at_zero * problem.background}}));
  RETURN_IF_ERROR(monitor.Iterated({1, 1, *x}));
  return x;
}

}  // namespace deconvoy::worker
