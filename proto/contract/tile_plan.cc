#include "proto/contract/tile_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// Halo in spreads of the PSF, and the least one in voxels. Measured with 20 to 60 heavy-ball iterations
// (docs/methods/rl.md): an NRMSE of 2e-4 for Gaussians, 0.5e-3 for widefield PSFs in cores thinner than the PSF, where
// 1e-3 is promised.
constexpr double kHaloSpreads = 4.4;
constexpr int64_t kLeastHalo = 6;
constexpr int64_t kLeastSlack = 4;    // beyond half the PSF, where the spread is not known
constexpr double kMirrorHalo = 1.25;  // over that of EXTEND

// Numbers of tiles along one axis that the search tries: each up to this one, then in steps of an eighth.
constexpr int64_t kEveryCount = 32;

// What a tile takes besides its transforms (assignment, reading, writing): about 5 ms, the time of so many voxels in
// some twenty iterations.
constexpr double kVoxelsPerTile = 65536;
// And for each row of a tile that holds only a part of the frame's rows: what it writes lies by itself, about 3 us.
constexpr double kVoxelsPerCutRow = 40;

// Planes of a slab, at least, however small the PSF is.
constexpr int64_t kLeastSlab = 8;

// How much more all tiles may take together so that several workers end sooner.
constexpr double kMostExtraWork = 1.5;

// What the first tile's loading and the last one's unloading, with nothing to compute beside, are taken to cost: half a
// tile, an estimate.
constexpr double kEndsBeside = 0.5;

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

int64_t Voxels(const Shape3& shape) {
  return Times(Times(shape.z, shape.y), shape.x);
}

int64_t MemoryBytes(const TilePlanRequest& request, const Shape3& padded, const Shape3& loaded) {
  const Shape3 measured = MeasuredShape(request.boundary, padded, loaded);
  return Plus(TileBytes(request.memory, padded, measured, request.psf), request.fixed_bytes);
}

bool Fits(const TilePlanRequest& request, const Shape3& padded, const Shape3& loaded) {
  return request.memory_budget_bytes == 0 || MemoryBytes(request, padded, loaded) <= request.memory_budget_bytes;
}

// First voxel and one past the last of an interval.
struct Span {
  int64_t begin;
  int64_t end;

  int64_t extent() const { return end - begin; }
};

// What the plan needs to know along one axis.
struct Axis {
  int64_t frame;
  Span region;  // of the frame
  int64_t psf;
  int64_t halo;
  v1::Boundary boundary;
  FftAxis kind;
  const FftCosts& costs;
};

// One way to cut an axis.
struct Cut {
  int64_t core;
  int64_t count;
  int64_t loaded;  // by the tile that loads most
  int64_t padded;
  int64_t cost;  // of the padded extent
};

// Relative time of one tile. Doubles, as it may exceed 2^63.
double TileTime(const Cut& z, const Cut& y, const Cut& x) {
  const auto extent = [](const Cut& cut) {
    return static_cast<double>(cut.padded) * static_cast<double>(cut.cost) / FftCosts::kBest;
  };
  const double rows = x.count > 1 ? static_cast<double>(z.core) * static_cast<double>(y.core) : 0;
  return extent(z) * extent(y) * extent(x) + kVoxelsPerTile + rows * kVoxelsPerCutRow;
}

double TilesOf(const Cut& z, const Cut& y, const Cut& x) {
  return static_cast<double>(z.count) * static_cast<double>(y.count) * static_cast<double>(x.count);
}

Span CoreOf(const Span& region, int64_t core, int64_t index) {
  const int64_t begin = region.begin + index * core;
  return {.begin = begin, .end = std::min(begin + core, region.end)};
}

Span LoadedBy(const Span& core, int64_t frame, int64_t halo) {
  return {.begin = std::max<int64_t>(core.begin - halo, 0), .end = std::min(core.end + halo, frame)};
}

// Voxels that the transforms of a tile have to hold. A tile that reaches neither end of the frame needs half the
// margin: what it loads differs from one end to the other, and that they touch disturbs no more than what it does not
// know.
int64_t Held(const Axis& axis, const Span& loaded) {
  if (axis.boundary == v1::PERIODIC) return loaded.extent();
  if (axis.boundary == v1::MIRROR) return loaded.extent() + (axis.psf > 1 ? axis.psf : 0);
  const bool inside = loaded.begin > 0 && loaded.end < axis.frame;
  return loaded.extent() + (inside ? axis.psf / 2 : axis.psf - 1);
}

Cut CutInto(const Axis& axis, int64_t core) {
  const int64_t count = CeilDivide(axis.region.extent(), core);
  Cut cut{.core = core, .count = count, .loaded = 0, .padded = 0, .cost = 0};
  int64_t held = 0;
  const auto look = [&](int64_t index) {
    if (index < 0 || index >= count) return;
    const Span loaded = LoadedBy(CoreOf(axis.region, core, index), axis.frame, axis.halo);
    cut.loaded = std::max(cut.loaded, loaded.extent());
    held = std::max(held, Held(axis, loaded));
  };
  // Of the tiles that load the first or the last voxel the farthest from it loads most; of the others any.
  const int64_t begin = axis.region.begin;
  const int64_t from_first = std::max<int64_t>(axis.halo - begin, 0) / core;
  const int64_t from_last = std::max<int64_t>(CeilDivide(axis.frame - axis.halo - begin, core) - 1, 0);
  for (const int64_t beside : {-1, 0, 1}) {
    look(std::min(from_first, count - 1) + beside);
    look(std::min(from_last, count - 1) + beside);
  }
  cut.padded = axis.boundary == v1::PERIODIC ? held : axis.costs.Best(held, axis.kind);
  cut.cost = axis.costs.At(cut.padded, axis.kind);
  return cut;
}

// The cuts worth trying, from whole to single voxels: each smaller when padded than the one before.
std::vector<Cut> Cuts(const Axis& axis) {
  std::vector<Cut> cuts;
  const int64_t extent = axis.region.extent();
  for (int64_t count = 1; count <= extent; count += count < kEveryCount ? 1 : count / 8) {
    const Cut cut = CutInto(axis, CeilDivide(extent, count));
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
  plan.memory_bytes = MemoryBytes(request, plan.padded, {z.loaded, y.loaded, x.loaded});
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

Box3 RegionOf(const TilePlanRequest& request) {
  return request.region.empty() ? Box3{{}, request.frame} : request.region;
}

absl::Status CheckCore(const TilePlanRequest& request) {
  const Shape3& core = request.core;
  if (core == Shape3{}) return absl::OkStatus();
  const Shape3 wanted = RegionOf(request).shape;
  const std::string remedy = fmt::format("Give a core from 1 x 1 x 1 to {}, or none.", Text(wanted));
  if (request.whole) return Invalid("deconvolve.tile", "a tile's core is given, but the whole frame asked for", remedy);
  if (!Within(core, 1, limits::kAxisVoxels) || core.z > wanted.z || core.y > wanted.y || core.x > wanted.x) {
    return Invalid("deconvolve.tile.core",
                   fmt::format("`deconvolve.tile.core` is {}, but the {} has {} voxels", Text(core),
                               request.region.empty() ? "frame" : "region", Text(wanted)),
                   remedy);
  }
  if (request.boundary == v1::PERIODIC && !(core == wanted)) {
    return Invalid("deconvolve.tile.core",
                   fmt::format("`deconvolve.tile.core` is {}, but a periodic frame of {} voxels cannot be cut",
                               Text(core), Text(request.frame)),
                   "Leave the tile out, or choose another boundary.");
  }
  if (request.uncut && !(core == wanted)) {
    return Invalid("deconvolve.tile.core",
                   fmt::format("`deconvolve.tile.core` is {}, but the method needs the whole frame of {} voxels: its "
                               "tiles would differ at their seams",
                               Text(core), Text(request.frame)),
                   "Leave the tile out, or choose another method.");
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const TilePlanRequest& request) {
  const auto invalid = [](std::string_view message) { return Invalid("", message, ""); };
  const Shape3& frame = request.frame;
  if (!Within(frame, 1, limits::kAxisVoxels) || Times(Times(frame.z, frame.y), frame.x) > limits::kVolumeBytes) {
    return invalid(fmt::format("a frame of {} voxels cannot be planned", Text(frame)));
  }
  if (!Box3{{}, frame}.Contains(RegionOf(request))) {
    return invalid(fmt::format("a region of {} voxels outside a frame of {} cannot be planned",
                               Text(request.region.shape), Text(frame)));
  }
  // Centred, a PSF can be nearly twice as large as what was given.
  if (!Within(request.psf, 1, 2 * limits::kAxisVoxels)) {
    return invalid(fmt::format("a PSF of {} voxels cannot be planned", Text(request.psf)));
  }
  if (request.boundary != v1::EXTEND && request.boundary != v1::PERIODIC && request.boundary != v1::MIRROR) {
    return invalid(fmt::format("boundary {} cannot be planned", static_cast<int>(request.boundary)));
  }
  const MethodMemory& memory = request.memory;
  if (memory.millibytes_per_padded_voxel < 1 || memory.millibytes_per_measured_voxel < 0 ||
      memory.bytes_per_weight < 0 || request.fixed_bytes < 0 || request.memory_budget_bytes < 0) {
    return invalid(
        fmt::format("memory of {} and {} / 1000 bytes per voxel, {} per weight and {} bytes, with a budget of "
                    "{}, cannot be planned",
                    memory.millibytes_per_padded_voxel, memory.millibytes_per_measured_voxel, memory.bytes_per_weight,
                    request.fixed_bytes, request.memory_budget_bytes));
  }
  if (request.workers < 1 || request.frames < 1) {
    return invalid(fmt::format("a plan for {} workers and {} frames makes no sense", request.workers, request.frames));
  }
  if (!Within(request.halo, 0, 4 * limits::kAxisVoxels)) {
    return invalid(fmt::format("a halo of {} voxels cannot be planned", Text(request.halo)));
  }
  return CheckCore(request);
}

absl::Status TooLarge(const TilePlanRequest& request, const Shape3& padded, int64_t need, std::string_view what,
                      std::string_view remedy) {
  constexpr double kMib = 1024.0 * 1024.0;
  return MakeError({.reason = v1::OUT_OF_MEMORY,
                    .remedy = std::string(remedy),
                    .metadata = {{"need_bytes", fmt::to_string(need)},
                                 {"budget_bytes", fmt::to_string(request.memory_budget_bytes)}}},
                   fmt::format("{} needs {:.1f} MiB ({} voxels when padded), but a task may use {:.1f} MiB", what,
                               static_cast<double>(need) / kMib, Text(padded),
                               static_cast<double>(request.memory_budget_bytes) / kMib));
}

// Least time so far, and the plan that takes it.
struct Best {
  double time = std::numeric_limits<double>::infinity();
  double work = 0;  // time of all its tiles in one frame, one after the other
  std::optional<TilePlan> plan;
};

// What a search compares: the time in which `workers` end with all frames, among plans of at most `most_work`.
struct Aim {
  int64_t workers = 1;
  int64_t frames = 1;
  double ends = 0;  // tiles that could be computed while nothing is
  double most_work = std::numeric_limits<double>::infinity();
};

// All ways to cut a frame.
struct Cutting {
  Shape3 halo;
  std::vector<Cut> zs, ys, xs;
};

// Improves `best` with every way to cut y and x that fits while z is cut as `z`. Smaller padded shapes are no rule for
// what fits: more tiles may each load more.
void Search(const TilePlanRequest& request, const Cutting& cutting, const Cut& z, const Aim& aim, Best& best) {
  for (const Cut& y : cutting.ys) {
    for (const Cut& x : cutting.xs) {
      const double tile_time = TileTime(z, y, x), tiles = TilesOf(z, y, x);
      const double rounds = request.growing ? static_cast<double>(z.count) : 1;
      const double at_once = request.growing ? tiles / rounds : tiles * static_cast<double>(aim.frames);
      const double turns = rounds * std::ceil(at_once / static_cast<double>(aim.workers));
      const double time = (turns + aim.ends) * tile_time, work = tiles * tile_time;
      if (time >= best.time || work > aim.most_work || tiles > limits::kTasksPerJob) continue;
      if (!Fits(request, {z.padded, y.padded, x.padded}, {z.loaded, y.loaded, x.loaded})) continue;
      best = {.time = time, .work = work, .plan = Assemble(request, cutting.halo, z, y, x)};
    }
  }
}

// The slabs there should be, and where no tile of them fits thinner ones.
Best SearchSlabs(const TilePlanRequest& request, const Cutting& cutting, const Axis& z_axis, const Aim& aim) {
  const int64_t planes = z_axis.region.extent();
  const Cut slab = CutInto(z_axis, CeilDivide(planes, SlabCount(planes, z_axis.halo, z_axis.psf)));
  Best best;
  Search(request, cutting, slab, aim, best);
  for (size_t i = 0; i < cutting.zs.size() && !best.plan.has_value(); ++i) {
    if (cutting.zs[i].core < slab.core) Search(request, cutting, cutting.zs[i], aim, best);
  }
  return best;
}

Best SearchAll(const TilePlanRequest& request, const Cutting& cutting, const Axis& z_axis, const Aim& aim) {
  if (request.growing && request.boundary != v1::PERIODIC) return SearchSlabs(request, cutting, z_axis, aim);
  Best whole_z;
  Search(request, cutting, cutting.zs.front(), aim, whole_z);
  if (aim.workers == 1 && aim.ends == 0 && whole_z.plan.has_value() && whole_z.plan->tiles() == 1) return whole_z;
  Best cut_z;
  for (size_t i = 1; i < cutting.zs.size(); ++i) Search(request, cutting, cutting.zs[i], aim, cut_z);
  const bool better = !whole_z.plan.has_value() || cut_z.time <= whole_z.time / 2;
  return cut_z.plan.has_value() && better ? cut_z : whole_z;
}

absl::StatusOr<TilePlan> PlanAutomatic(const TilePlanRequest& request, const Shape3& halo, const Axis& z_axis,
                                       const Axis& y_axis, const Axis& x_axis) {
  const Cutting cutting{.halo = halo, .zs = Cuts(z_axis), .ys = Cuts(y_axis), .xs = Cuts(x_axis)};
  Best best = SearchAll(request, cutting, z_axis, {});
  if (best.plan.has_value() && (request.workers > 1 || request.beside)) {
    best = SearchAll(request, cutting, z_axis,
                     {.workers = request.workers,
                      .frames = request.frames,
                      .ends = request.beside ? kEndsBeside : 0,
                      .most_work = kMostExtraWork * best.work});
  }
  if (best.plan.has_value()) return *best.plan;
  const TilePlan smallest = Assemble(request, halo, cutting.zs.back(), cutting.ys.back(), cutting.xs.back());
  return TooLarge(request, smallest.padded, smallest.memory_bytes, "the smallest tile",
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
  if (request.memory_budget_bytes == 0 || plan.memory_bytes <= request.memory_budget_bytes) return plan;
  if (request.uncut) {
    return TooLarge(request, plan.padded, plan.memory_bytes, "the method needs the whole frame at once, which",
                    "Choose a method that can be tiled, for instance `wiener`, or use a worker with more memory.");
  }
  return request.whole ? TooLarge(request, plan.padded, plan.memory_bytes, "the whole frame",
                                  "Allow tiles, or use a worker with more memory.")
                       : TooLarge(request, plan.padded, plan.memory_bytes,
                                  fmt::format("a tile with a core of {} voxels", Text(core)),
                                  "Give a smaller core or none, or use a worker with more memory.");
}

}  // namespace

Tile TilePlan::At(int64_t index, const Shape3& frame, const Box3& region) const {
  const Voxel &from = region.origin, to = region.end();
  const Span z = CoreOf({from.z, to.z}, core.z, index / (grid.y * grid.x));
  const Span y = CoreOf({from.y, to.y}, core.y, index / grid.x % grid.y);
  const Span x = CoreOf({from.x, to.x}, core.x, index % grid.x);
  const auto box = [](const Span& along_z, const Span& along_y, const Span& along_x) {
    return Box3{.origin = {along_z.begin, along_y.begin, along_x.begin},
                .shape = {along_z.extent(), along_y.extent(), along_x.extent()}};
  };
  return {.core = box(z, y, x),
          .loaded = box(LoadedBy(z, frame.z, halo.z), LoadedBy(y, frame.y, halo.y), LoadedBy(x, frame.x, halo.x))};
}

absl::StatusOr<TilePlan> PlanTiles(const TilePlanRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const bool needs_frame = !request.region.empty() && (request.boundary == v1::PERIODIC || request.uncut);
  const auto axis = [&](int64_t frame, const Span& region, int64_t psf, int64_t halo, FftAxis kind) {
    const bool known = !(request.halo == Shape3{});
    return Axis{.frame = frame,
                .region = region,
                .psf = psf,
                .halo = needs_frame                        ? frame
                        : request.boundary == v1::PERIODIC ? 0
                        : known                            ? halo
                                                           : HaloExtent(psf, 0),
                .boundary = request.boundary,
                .kind = kind,
                .costs = request.costs};
  };
  const Box3 region = RegionOf(request);
  const Voxel &from = region.origin, to = region.end();
  const Shape3 &frame = request.frame, &psf = request.psf;
  const Axis z = axis(frame.z, {from.z, to.z}, psf.z, request.halo.z, FftAxis::kColumn);
  const Axis y = axis(frame.y, {from.y, to.y}, psf.y, request.halo.y, FftAxis::kColumn);
  const Axis x = axis(frame.x, {from.x, to.x}, psf.x, request.halo.x, FftAxis::kRow);
  const Shape3 halo{z.halo, y.halo, x.halo};
  if (request.whole || request.uncut) return PlanGiven(request, region.shape, halo, z, y, x);
  if (!request.core.empty()) return PlanGiven(request, request.core, halo, z, y, x);
  return PlanAutomatic(request, halo, z, y, x);
}

int64_t SlabCount(int64_t planes, int64_t halo, int64_t psf) {
  const int64_t beside = std::max(2 * halo + psf / 2, kLeastSlab);
  for (int64_t slabs = planes / beside; slabs > 1; --slabs) {
    const int64_t core = CeilDivide(planes, slabs), last = (planes - 1) % core + 1;
    if (last > halo) return slabs;
  }
  return planes / 2 > halo && 8 * halo <= 3 * planes ? 2 : 1;
}

Shape3 MeasuredShape(v1::Boundary boundary, const Shape3& padded, const Shape3& loaded) {
  return boundary == v1::EXTEND ? loaded : padded;
}

// What is left of a method's arrays once it has run: the estimate, and two of the transforms.
constexpr int64_t kMillibytesOfEstimate = 12'300;

int64_t TileBytes(const MethodMemory& memory, const Shape3& padded, const Shape3& measured, const Shape3& psf) {
  const auto bytes = [](int64_t millibytes) { return millibytes / 1000 + (millibytes % 1000 != 0 ? 1 : 0); };
  const int64_t millibytes = Plus(Times(Voxels(padded), memory.millibytes_per_padded_voxel),
                                  Times(Voxels(measured), memory.millibytes_per_measured_voxel));
  // Along each axis the weights differ only where the PSF meets a border.
  const Shape3 weights{std::min(padded.z, Times(2, psf.z)), std::min(padded.y, Times(2, psf.y)),
                       std::min(padded.x, Times(2, psf.x))};
  const auto boxed = [](int64_t extent, int64_t core, int64_t halo) { return std::min(extent, core) + 2 * halo; };
  const Shape3 &core = memory.box_core, &halo = memory.box_halo;
  const Shape3 box{boxed(padded.z, core.z, halo.z), boxed(padded.y, core.y, halo.y), boxed(padded.x, core.x, halo.x)};
  const int64_t running = Plus(Plus(bytes(millibytes), Times(Voxels(weights), memory.bytes_per_weight)),
                               bytes(Times(Voxels(box), memory.millibytes_per_box_voxel)));
  if (memory.result_bytes_per_measured_voxel == 0) return running;
  const int64_t ending = Plus(bytes(Times(Voxels(padded), kMillibytesOfEstimate)),
                              Times(Voxels(measured), memory.result_bytes_per_measured_voxel));
  return std::max(running, ending);
}

int64_t GivenPsfBytes(const Shape3& given) {
  return Times(2 * static_cast<int64_t>(sizeof(float)), Voxels(given));
}

int64_t PaddedExtent(int64_t loaded, int64_t psf, v1::Boundary boundary, FftAxis axis, const FftCosts& costs) {
  if (boundary == v1::PERIODIC) return loaded;
  const int64_t margin = boundary == v1::MIRROR && psf > 1 ? psf : psf - 1;
  return costs.Best(loaded + margin, axis);
}

Shape3 PaddedShape(const Shape3& loaded, const Shape3& psf, v1::Boundary boundary, const FftCosts& costs) {
  return {PaddedExtent(loaded.z, psf.z, boundary, FftAxis::kColumn, costs),
          PaddedExtent(loaded.y, psf.y, boundary, FftAxis::kColumn, costs),
          PaddedExtent(loaded.x, psf.x, boundary, FftAxis::kRow, costs)};
}

int64_t HaloExtent(int64_t psf, double spread) {
  if (psf <= 1) return 0;
  // No light lies farther from the centre than half the extent, so that 5/4 of it are 4.3 spreads or more of any PSF
  // that is not brighter at its rim than at its centre.
  const int64_t most = psf / 2 + std::max(kLeastSlack, psf * 3 / 4);
  if (!(spread > 0)) return most;
  const auto halo = static_cast<int64_t>(std::ceil(std::min(kHaloSpreads * spread, static_cast<double>(most))));
  return std::max(halo, std::min(kLeastHalo, most));
}

Shape3 ScaledHalo(const Shape3& halo, double factor) {
  if (!(factor > 0)) return halo;
  factor = std::min(factor, kWholeFrames);
  const auto scaled = [factor](int64_t extent) {
    return static_cast<int64_t>(std::ceil(factor * static_cast<double>(extent)));
  };
  return {scaled(halo.z), scaled(halo.y), scaled(halo.x)};
}

double HaloFactor(double method_factor, v1::Boundary boundary) {
  return std::max(method_factor, 1.0) * (boundary == v1::MIRROR ? kMirrorHalo : 1);
}

}  // namespace deconvoy
