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

constexpr int64_t kBlockRows = 8;           // of what is looked for in a plane: residual.h
constexpr int64_t kVoxelBytes = 16;         // y, model, r, m
constexpr int64_t kStripBytes = 4 << 20;    // whatever the number of threads, on which sums then do not depend
constexpr int64_t kStripsBytes = 64 << 20;  // of all that are on their way

// How a core is cut: into whole planes, or of large ones into rows.
class Strips {
 public:
  explicit Strips(const Box3& core)
      : core_(core),
        rows_(std::min(std::max(kStripBytes / (core.shape.x * kVoxelBytes) / kBlockRows, int64_t{1}) * kBlockRows,
                       core.shape.y)) {}

  int64_t voxels() const { return rows_ * core_.shape.x; }  // of the largest
  int64_t count() const { return core_.shape.z * PerPlane(); }
  // Number i, in the order of the voxels.
  Box3 At(int64_t i) const {
    const int64_t first = i % PerPlane() * rows_;
    return {{core_.origin.z + i / PerPlane(), core_.origin.y + first, core_.origin.x},
            {1, std::min(rows_, core_.shape.y - first), core_.shape.x}};
  }
  // Strips that are worked on at once.
  size_t AtOnce(int threads) const {
    const int64_t most = std::max(kStripsBytes / (voxels() * kVoxelBytes), int64_t{1});
    return static_cast<size_t>(std::clamp<int64_t>(threads, 1, std::min(most, count())));
  }

 private:
  int64_t PerPlane() const { return (core_.shape.y + rows_ - 1) / rows_; }

  const Box3 core_;
  const int64_t rows_;
};

// A strip of the core on its way into the sums.
struct StripSums {
  absl::Status Load(const ResidualProblem& problem, const Array& model, const Box3& strip) {
    const auto voxels = static_cast<size_t>(strip.shape.voxels());
    for (std::vector<float>* values : {&y, &blurred, &r}) values->resize(voxels);
    RETURN_IF_ERROR(problem.ops->Download(*problem.measured, strip, y));
    RETURN_IF_ERROR(problem.ops->Download(model, strip, blurred));
    if (problem.mask == nullptr) return absl::OkStatus();
    m.resize(voxels);
    return problem.ops->Download(*problem.mask, strip, m);
  }

  void Sum(const ResidualProblem& problem) {
    sums = {};
    if (problem.mask != nullptr) LeaveOut(m, blurred, problem.core.shape.x, y, sums);
    AddResidual(problem.scale, {y, blurred, m}, problem.core.shape.x, r, sums);
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
  const Strips strips(problem.core);
  std::vector<StripSums> slots(strips.AtOnce(problem.threads));
  for (int64_t next = 0; next < strips.count();) {
    size_t count = 0;
    for (; count < slots.size() && next < strips.count(); ++count, ++next) {
      RETURN_IF_ERROR(slots[count].Load(problem, model, strips.At(next)));
    }
    ParallelFor(problem.threads, static_cast<int64_t>(count),
                [&](int64_t i) { slots[static_cast<size_t>(i)].Sum(problem); });
    for (size_t i = 0; i < count; ++i) {
      sums += slots[i].sums;
      if (map != nullptr) RETURN_IF_ERROR(map->Append(std::as_bytes(std::span(slots[i].r))));
    }
  }
  if (std::isfinite(sums.sum) && std::isfinite(sums.squares)) return absl::OkStatus();
  return MakeError({.reason = v1::BAD_OUTPUT, .remedy = "Look at background, offset and PSF."},
                   "the result is so large that blurring it gives NaN or infinity");
}

absl::Status WriteDarkResidual(const ResidualScale& scale, const Shape3& core, PieceWriter& map) {
  const Strips strips({{}, core});
  const std::vector<float> y(static_cast<size_t>(strips.voxels()));
  const std::vector<float> model(y.size(), static_cast<float>(scale.background));
  std::vector<float> r(y.size());
  ResidualSums unused;
  AddResidual(scale, {y, model}, core.x, r, unused);
  for (int64_t i = 0; i < strips.count(); ++i) {
    const auto voxels = static_cast<size_t>(strips.At(i).shape.voxels());
    RETURN_IF_ERROR(map.Append(std::as_bytes(std::span(r).first(voxels))));
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
