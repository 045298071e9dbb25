#include "worker/pipeline/residual_map.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/imaging/parallel.h"

namespace deconvoy::worker {
namespace {

// Lets voxels with m = 0 have no residual, and takes them and their pairs out of the sums that they are about to enter.
void LeaveOut(std::span<const float> m, std::span<const float> model, int64_t columns, std::span<float> y,
              ResidualSums& sums) {
  for (size_t i = 0; i < y.size(); ++i) {
    const bool last = (i + 1) % static_cast<size_t>(columns) == 0;
    if (!last && (m[i] == 0 || m[i + 1] == 0)) --sums.neighbours;
    if (m[i] != 0) continue;
    y[i] = model[i];
    --sums.voxels;
  }
}

// One plane of the core on its way into the sums.
struct PlaneSums {
  explicit PlaneSums(const ResidualProblem& problem)
      : y(static_cast<size_t>(problem.core.shape.y * problem.core.shape.x)), blurred(y.size()), r(y.size()) {
    if (problem.mask != nullptr) m.resize(y.size());
  }

  absl::Status Load(const ResidualProblem& problem, const Array& model, const Box3& plane) {
    RETURN_IF_ERROR(problem.ops->Download(*problem.measured, plane, y));
    RETURN_IF_ERROR(problem.ops->Download(model, plane, blurred));
    return problem.mask == nullptr ? absl::OkStatus() : problem.ops->Download(*problem.mask, plane, m);
  }

  void Sum(const ResidualProblem& problem) {
    sums = {};
    if (problem.mask != nullptr) LeaveOut(m, blurred, problem.core.shape.x, y, sums);
    AddResidual(problem.scale, y, blurred, problem.core.shape.x, r, sums);
  }

  std::vector<float> y, blurred, r, m;
  ResidualSums sums;
};

}  // namespace

absl::Status MeasureResidual(const ResidualProblem& problem, const Array& estimate, Array& model, PieceWriter* map,
                             ResidualSums& sums) {
  RETURN_IF_ERROR(problem.ops->Convolve(
      {problem.otf, /*adjoint=*/false, Identity{&estimate},
       Store{.output = &model, .offset = static_cast<float>(problem.scale.background), .box = problem.core}}));
  Box3 plane = problem.core;
  plane.shape.z = 1;
  std::vector<PlaneSums> planes(static_cast<size_t>(std::max(problem.threads, 1)), PlaneSums(problem));
  while (plane.origin.z < problem.core.end().z) {
    size_t count = 0;
    for (; count < planes.size() && plane.origin.z < problem.core.end().z; ++count, ++plane.origin.z) {
      RETURN_IF_ERROR(planes[count].Load(problem, model, plane));
    }
    ParallelFor(problem.threads, static_cast<int64_t>(count),
                [&](int64_t i) { planes[static_cast<size_t>(i)].Sum(problem); });
    for (size_t i = 0; i < count; ++i) {
      sums += planes[i].sums;
      if (map != nullptr) RETURN_IF_ERROR(map->Append(std::as_bytes(std::span(planes[i].r))));
    }
  }
  if (std::isfinite(sums.sum) && std::isfinite(sums.squares)) return absl::OkStatus();
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
