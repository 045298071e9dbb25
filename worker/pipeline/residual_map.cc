#include "worker/pipeline/residual_map.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/imaging/parallel.h"
#include "worker/ops/finishing.h"

namespace deconvoy::worker {
namespace {

// How many pairs do not count: of each value of m with that at the same place of `other`.
uint64_t PairsLeftOut(std::span<const float> m, std::span<const float> other) {
  uint64_t count = 0;
  for (size_t i = 0; i < m.size(); ++i) count += m[i] == 0 || other[i] == 0 ? 1 : 0;
  return count;
}

// Lets voxels with m = 0 have no residual, and takes them and their pairs out of the sums that they are about to enter.
void LeaveOut(std::span<const float> m, std::span<const float> model, int64_t columns, std::span<float> y,
              ResidualSums& sums) {
  const auto width = static_cast<size_t>(columns);
  for (size_t row = 0; row < m.size(); row += width) {
    const std::span<const float> values = m.subspan(row, width);
    sums.x.count -= PairsLeftOut(values.subspan(1), values.first(width - 1));
    if (row > 0) sums.y.count -= PairsLeftOut(values, m.subspan(row - width, width));
  }
  for (size_t i = 0; i < y.size(); ++i) {
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
  int64_t PerPlane() const { return (core_.shape.y + rows_ - 1) / rows_; }
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

// Pairs of neighbours in different strips: those along z, and along y where planes are cut.
class StripPairs {
 public:
  StripPairs(const Strips& strips, int64_t columns)
      : columns_(static_cast<size_t>(columns)), newest_(static_cast<size_t>(strips.PerPlane())) {}

  // Takes the strips in their order; r and m of this one are exchanged for scratch.
  void Add(int64_t index, StripSums& strip, ResidualSums& sums) {
    const size_t place = static_cast<size_t>(index) % newest_.size();
    Kept& before = newest_[place];
    if (!before.r.empty()) sums.z += PairsOf(strip.r, strip.m, before.r, before.m);
    std::swap(before.r, strip.r);
    std::swap(before.m, strip.m);
    if (place == 0) return;
    const Kept& above = newest_[place - 1];
    sums.y += PairsOf(FirstRow(before.r), FirstRow(before.m), LastRow(above.r), LastRow(above.m));
  }

 private:
  using Values = std::span<const float>;
  struct Kept {
    std::vector<float> r, m;
  };

  Values FirstRow(Values values) const { return values.empty() ? values : values.first(columns_); }
  Values LastRow(Values values) const { return values.empty() ? values : values.last(columns_); }
  static ResidualSums::Pairs PairsOf(Values r, Values m, Values other, Values other_m) {
    ResidualSums::Pairs pairs = PairUp(r, other);
    if (!m.empty()) pairs.count -= PairsLeftOut(m, other_m);
    return pairs;
  }

  const size_t columns_;
  std::vector<Kept> newest_;  // of each place in a plane
};

// Adds the sums over the core of what `model` has there, on the host.
absl::Status SumOnHost(const ResidualProblem& problem, const Array& model, PieceWriter* map, ResidualSums& sums) {
  const Strips strips(problem.core);
  std::vector<StripSums> slots(strips.AtOnce(problem.threads));
  StripPairs pairs(strips, problem.core.shape.x);
  for (int64_t next = 0; next < strips.count();) {
    const int64_t first = next;
    size_t count = 0;
    for (; count < slots.size() && next < strips.count(); ++count, ++next) {
      RETURN_IF_ERROR(slots[count].Load(problem, model, strips.At(next)));
    }
    ParallelFor(problem.threads, static_cast<int64_t>(count),
                [&](int64_t i) { slots[static_cast<size_t>(i)].Sum(problem); });
    for (size_t i = 0; i < count; ++i) {
      sums += slots[i].sums;
      if (map != nullptr) RETURN_IF_ERROR(map->Append(std::as_bytes(std::span(slots[i].r))));
      pairs.Add(first + static_cast<int64_t>(i), slots[i], sums);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureResidual(const ResidualProblem& problem, const Array& estimate, Array& model, PieceWriter* map,
                             ResidualSums& sums) {
  RETURN_IF_ERROR(problem.ops->Convolve(
      {problem.otf, /*adjoint=*/false, Identity{&estimate},
       Store{.output = &model, .offset = static_cast<float>(problem.scale.background), .box = problem.core}}));
  if (Finishing* const device = problem.ops->finishing(); device != nullptr && map == nullptr) {
    ASSIGN_OR_RETURN(
        const ResidualSums of_core,
        device->SumResidual({.result = &model, .image = problem.measured, .mask = problem.mask, .core = problem.core},
                            problem.scale));
    sums += of_core;
  } else {
    RETURN_IF_ERROR(SumOnHost(problem, model, map, sums));
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
