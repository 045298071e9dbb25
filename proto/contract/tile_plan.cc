#include "proto/contract/tile_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// Slack of the halo beyond half the PSF: at least this many voxels, and three quarters of the PSF's extent. Measured
// under a widefield PSF with 20 heavy-ball iterations and cores thinner than the PSF: an NRMSE of 1.5e-3 with a
// quarter, 1.1e-3 with a half, 0.5e-3 with three quarters, where 1e-3 is promised.
constexpr int64_t kLeastSlack = 4;

// Numbers of tiles along one axis that the search tries: each up to this one, then in steps of an eighth.
constexpr int64_t kEveryCount = 32;

// Saturating, so that absurd extents end up above every budget.
int64_t Times(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kMost : product;
}
int64_t Plus(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? kMost : sum;
}
int64_t CeilDivide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t MemoryBytes(const TilePlanRequest& request, const Shape3& padded) {
  const int64_t voxels = Times(Times(padded.z, padded.y), padded.x);
  const int64_t millibytes = Times(voxels, request.millibytes_per_padded_voxel);
  return Plus(millibytes / 1000 + (millibytes % 1000 != 0 ? 1 : 0), request.fixed_bytes);
}

bool Fits(const TilePlanRequest& request, const Shape3& padded) {
  return request.memory_budget_bytes == 0 || MemoryBytes(request, padded) <= request.memory_budget_bytes;
}

// What the plan needs to know along one axis.
struct Axis {
  int64_t frame;
  int64_t psf;
  v1::Boundary boundary;
  bool even;

  int64_t halo() const { return boundary == v1::PERIODIC ? 0 : HaloExtent(psf); }
};

// One way to cut an axis.
struct Cut {
  int64_t core;
  int64_t count;
  int64_t padded;

  int64_t cost() const { return Times(count, padded); }
};

// First voxel and one past the last of an interval.
struct Span {
  int64_t begin;
  int64_t end;

  int64_t extent() const { return end - begin; }
};

Span CoreOf(int64_t frame, int64_t core, int64_t index) {
  return {.begin = index * core, .end = std::min((index + 1) * core, frame)};
}

Span LoadedBy(const Span& core, int64_t frame, int64_t halo) {
  return {.begin = std::max<int64_t>(core.begin - halo, 0), .end = std::min(core.end + halo, frame)};
}

Cut CutInto(const Axis& axis, int64_t core) {
  const int64_t count = CeilDivide(axis.frame, core);
  // Tiles load the more the farther from both ends; with a last core cut short that is one of these.
  int64_t loaded = 0;
  for (const int64_t index : {(count - 1) / 2 - 1, (count - 1) / 2, count / 2}) {
    if (index < 0 || index >= count) continue;
    loaded = std::max(loaded, LoadedBy(CoreOf(axis.frame, core, index), axis.frame, axis.halo()).extent());
  }
  return {.core = core, .count = count, .padded = PaddedExtent(loaded, axis.psf, axis.boundary, axis.even)};
}

// The cuts worth trying, from whole to single voxels: each smaller when padded than the one before.
std::vector<Cut> Cuts(const Axis& axis) {
  std::vector<Cut> cuts;
  for (int64_t count = 1; count <= axis.frame; count += count < kEveryCount ? 1 : count / 8) {
    const Cut cut = CutInto(axis, CeilDivide(axis.frame, count));
    if (cuts.empty() || cut.padded < cuts.back().padded) cuts.push_back(cut);
    if (axis.boundary == v1::PERIODIC) break;
  }
  return cuts;
}

TilePlan Assemble(const TilePlanRequest& request, const Shape3& halo, const Cut& z, const Cut& y, const Cut& x) {
  TilePlan plan;
  plan.core = {z.core, y.core, x.core};
  plan.halo = halo;
  plan.padded = {z.padded, y.padded, x.padded};
  plan.grid = {z.count, y.count, x.count};
  plan.memory_bytes = MemoryBytes(request, plan.padded);
  return plan;
}

absl::Status Invalid(std::string_view field, std::string_view message, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field), .remedy = std::string(remedy)}, message);
}

std::string Text(const Shape3& shape) {
  return fmt::format("{} x {} x {}", shape.z, shape.y, shape.x);
}

constexpr bool Within(const Shape3& shape, int64_t least, int64_t most) {
  const auto within = [least, most](int64_t extent) { return extent >= least && extent <= most; };
  return within(shape.z) && within(shape.y) && within(shape.x);
}

absl::Status CheckCore(const TilePlanRequest& request) {
  const Shape3& core = request.core;
  if (core == Shape3{}) return absl::OkStatus();
  const std::string remedy = fmt::format("Give a core from 1 x 1 x 1 to {}, or none.", Text(request.frame));
  if (request.whole) return Invalid("deconvolve.tile", "a tile's core is given, but the whole frame asked for", remedy);
  if (!Within(core, 1, limits::kAxisVoxels) || core.z > request.frame.z || core.y > request.frame.y ||
      core.x > request.frame.x) {
    return Invalid(
        "deconvolve.tile.core",
        fmt::format("`deconvolve.tile.core` is {}, but the frame has {} voxels", Text(core), Text(request.frame)),
        remedy);
  }
  if (request.boundary == v1::PERIODIC && !(core == request.frame)) {
    return Invalid("deconvolve.tile.core",
                   fmt::format("`deconvolve.tile.core` is {}, but a periodic frame of {} voxels cannot be cut",
                               Text(core), Text(request.frame)),
                   "Leave the tile out, or choose another boundary.");
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const TilePlanRequest& request) {
  const auto invalid = [](std::string_view message) { return Invalid("", message, ""); };
  const Shape3& frame = request.frame;
  if (!Within(frame, 1, limits::kAxisVoxels) || Times(Times(frame.z, frame.y), frame.x) > limits::kVolumeBytes) {
    return invalid(fmt::format("a frame of {} voxels cannot be planned", Text(frame)));
  }
  // Centred, a PSF can be nearly twice as large as what was given.
  if (!Within(request.psf, 1, 2 * limits::kAxisVoxels)) {
    return invalid(fmt::format("a PSF of {} voxels cannot be planned", Text(request.psf)));
  }
  if (request.boundary != v1::EXTEND && request.boundary != v1::PERIODIC && request.boundary != v1::MIRROR) {
    return invalid(fmt::format("boundary {} cannot be planned", static_cast<int>(request.boundary)));
  }
  if (request.millibytes_per_padded_voxel < 1 || request.fixed_bytes < 0 || request.memory_budget_bytes < 0) {
    return invalid(
        fmt::format("memory of {} / 1000 bytes per voxel and {} bytes, with a budget of {}, cannot be planned",
                    request.millibytes_per_padded_voxel, request.fixed_bytes, request.memory_budget_bytes));
  }
  return CheckCore(request);
}

absl::Status TooLarge(const TilePlanRequest& request, const Shape3& padded, std::string_view what,
                      std::string_view remedy) {
  const int64_t need = MemoryBytes(request, padded);
  constexpr double kMib = 1024.0 * 1024.0;
  return MakeError({.reason = v1::OUT_OF_MEMORY,
                    .remedy = std::string(remedy),
                    .metadata = {{"need_bytes", fmt::to_string(need)},
                                 {"budget_bytes", fmt::to_string(request.memory_budget_bytes)}}},
                   fmt::format("{} needs {:.1f} MiB ({} voxels when padded), but a task may use {:.1f} MiB", what,
                               static_cast<double>(need) / kMib, Text(padded),
                               static_cast<double>(request.memory_budget_bytes) / kMib));
}

// Least total padded voxels so far, and the cuts that give it.
struct Best {
  int64_t total = kMost;
  std::optional<TilePlan> plan;
};

// Improves `best` with every way to cut y and x while z is cut as `z`.
void Search(const TilePlanRequest& request, const Shape3& halo, const Cut& z, const std::vector<Cut>& ys,
            const std::vector<Cut>& xs, Best& best) {
  for (const Cut& y : ys) {
    const auto fitting = std::partition_point(xs.begin(), xs.end(), [&](const Cut& x) {
      return !Fits(request, {z.padded, y.padded, x.padded});
    });
    for (auto x = fitting; x != xs.end(); ++x) {
      const int64_t total = Times(Times(z.cost(), y.cost()), x->cost());
      const bool few_enough = Times(Times(z.count, y.count), x->count) <= limits::kTasksPerJob;
      if (!few_enough || total >= best.total) continue;
      best.total = total;
      best.plan = Assemble(request, halo, z, y, *x);
    }
  }
}

absl::StatusOr<TilePlan> PlanAutomatic(const TilePlanRequest& request, const Shape3& halo, const Axis& z_axis,
                                       const Axis& y_axis, const Axis& x_axis) {
  const std::vector<Cut> zs = Cuts(z_axis), ys = Cuts(y_axis), xs = Cuts(x_axis);
  Best whole_z;
  Search(request, halo, zs.front(), ys, xs, whole_z);
  if (whole_z.plan.has_value() && whole_z.plan->tiles() == 1) return *whole_z.plan;
  Best cut_z;
  for (size_t i = 1; i < zs.size(); ++i) Search(request, halo, zs[i], ys, xs, cut_z);
  if (cut_z.plan.has_value() && (!whole_z.plan.has_value() || cut_z.total <= whole_z.total / 2)) return *cut_z.plan;
  if (whole_z.plan.has_value()) return *whole_z.plan;
  return TooLarge(request, {zs.back().padded, ys.back().padded, xs.back().padded}, "the smallest tile",
                  request.boundary == v1::PERIODIC
                      ? "Use a worker with more memory, or a boundary that can be tiled (extend or mirror)."
                      : "Use a worker with more memory or a smaller PSF.");
}

absl::StatusOr<TilePlan> PlanGiven(const TilePlanRequest& request, const Shape3& core, const Shape3& halo,
                                   const Axis& z_axis, const Axis& y_axis, const Axis& x_axis) {
  const TilePlan plan =
      Assemble(request, halo, CutInto(z_axis, core.z), CutInto(y_axis, core.y), CutInto(x_axis, core.x));
  if (Times(Times(plan.grid.z, plan.grid.y), plan.grid.x) > limits::kTasksPerJob) {
    return Invalid("deconvolve.tile.core",
                   fmt::format("`deconvolve.tile.core` of {} makes more than {} tiles of a frame of {}", Text(core),
                               limits::kTasksPerJob, Text(request.frame)),
                   "Give a larger core.");
  }
  if (Fits(request, plan.padded)) return plan;
  return request.whole
             ? TooLarge(request, plan.padded, "the whole frame", "Allow tiles, or use a worker with more memory.")
             : TooLarge(request, plan.padded, fmt::format("a tile with a core of {} voxels", Text(core)),
                        "Give a smaller core or none, or use a worker with more memory.");
}

}  // namespace

Tile TilePlan::At(int64_t index, const Shape3& frame) const {
  const Span z = CoreOf(frame.z, core.z, index / (grid.y * grid.x));
  const Span y = CoreOf(frame.y, core.y, index / grid.x % grid.y);
  const Span x = CoreOf(frame.x, core.x, index % grid.x);
  const auto box = [](const Span& along_z, const Span& along_y, const Span& along_x) {
    return Box3{.origin = {along_z.begin, along_y.begin, along_x.begin},
                .shape = {along_z.extent(), along_y.extent(), along_x.extent()}};
  };
  return {.core = box(z, y, x),
          .loaded = box(LoadedBy(z, frame.z, halo.z), LoadedBy(y, frame.y, halo.y), LoadedBy(x, frame.x, halo.x))};
}

absl::StatusOr<TilePlan> PlanTiles(const TilePlanRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const Axis z{request.frame.z, request.psf.z, request.boundary, false};
  const Axis y{request.frame.y, request.psf.y, request.boundary, false};
  const Axis x{request.frame.x, request.psf.x, request.boundary, true};
  const Shape3 halo{z.halo(), y.halo(), x.halo()};
  if (request.whole) return PlanGiven(request, request.frame, halo, z, y, x);
  if (!request.core.empty()) return PlanGiven(request, request.core, halo, z, y, x);
  return PlanAutomatic(request, halo, z, y, x);
}

int64_t PaddedExtent(int64_t loaded, int64_t psf, v1::Boundary boundary, bool even) {
  if (boundary == v1::PERIODIC) return loaded;
  const int64_t margin = boundary == v1::MIRROR && psf > 1 ? psf : psf - 1;
  return FastExtent(loaded + margin, even);
}

int64_t FastExtent(int64_t n, bool even) {
  int64_t best = kMost;
  for (int64_t seven = 1; seven < best; seven = Times(seven, 7)) {
    for (int64_t five = seven; five < best; five = Times(five, 5)) {
      for (int64_t three = five; three < best; three = Times(three, 3)) {
        int64_t size = even ? Times(three, 2) : three;
        while (size < n) size = Times(size, 2);
        best = std::min(best, size);
      }
    }
  }
  return best;
}

int64_t HaloExtent(int64_t psf) {
  if (psf <= 1) return 0;
  return psf / 2 + std::max(kLeastSlack, psf * 3 / 4);
}

}  // namespace deconvoy
