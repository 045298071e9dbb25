#include "worker/pipeline/residual_map.h"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker {

absl::StatusOr<ResidualSums> MeasureResidual(const ResidualProblem& problem, Array& estimate, PieceWriter* map) {
  RETURN_IF_ERROR(
      problem.ops->Convolve({problem.otf, /*adjoint=*/false, Identity{&estimate},
                             Store{.output = &estimate, .offset = static_cast<float>(problem.scale.background)}}));
  Box3 plane = problem.core;
  plane.shape.z = 1;
  std::vector<float> y(static_cast<size_t>(plane.shape.voxels())), model(y.size()), r(y.size());
  ResidualSums sums;
  for (; plane.origin.z < problem.core.end().z; ++plane.origin.z) {
    RETURN_IF_ERROR(problem.ops->Download(*problem.measured, plane, y));
    RETURN_IF_ERROR(problem.ops->Download(estimate, plane, model));
    AddResidual(problem.scale, y, model, plane.shape.x, r, sums);
    if (map != nullptr) RETURN_IF_ERROR(map->Append(std::as_bytes(std::span(r))));
  }
  if (std::isfinite(sums.sum) && std::isfinite(sums.squares)) return sums;
  return MakeError({.reason = v1::BAD_OUTPUT, .remedy = "Look at background, offset and PSF."},
                   "the result is so large that blurring it gives NaN or infinity");
}

absl::Status WriteDarkResidual(const ResidualScale& scale, const Shape3& core, PieceWriter& map) {
  const std::vector<float> y(static_cast<size_t>(core.y * core.x));
  const std::vector<float> model(y.size(), static_cast<float>(scale.background));
  std::vector<float> r(y.size());
  ResidualSums unused;
  AddResidual(scale, y, model, core.x, r, unused);
  for (int64_t z = 0; z < core.z; ++z) RETURN_IF_ERROR(map.Append(std::as_bytes(std::span(r))));
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
