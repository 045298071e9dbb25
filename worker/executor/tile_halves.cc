#include "worker/executor/tile_halves.h"

#include <algorithm>

#include "proto/contract/deconvolution.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kBlock = 8;
constexpr int64_t kLeastExtent = 2 * kBlock;  // of a core that is cut

Shape3 Largest(const Shape3& a, const Shape3& b) {
  return {std::max(a.z, b.z), std::max(a.y, b.y), std::max(a.x, b.x)};
}

// A tile in the terms of its plan.
struct Planned {
  Box3 core, loaded;
  Shape3 psf, halo, padded;
  v1::Boundary boundary;
};

Planned PlannedOf(const v1::TileTask& tile, const Method& method, v1::Boundary boundary) {
  const int64_t upsample = AxialUpsample(tile.spec());
  Shape3 psf{}, halo{upsample > 1 ? upsample : 0, 0, 0};
  for (const v1::PsfReport& report : tile.psfs()) {
    const Shape3 shape = ToShape3(report.crop_shape());
    psf = Largest(psf, shape);
    halo = Largest(halo, {HaloExtent(shape.z, report.spread_z()), HaloExtent(shape.y, report.spread_y()),
                          HaloExtent(shape.x, report.spread_x())});
  }
  return {.core = ToFrameBox(tile.core()).box,
          .loaded = ToFrameBox(tile.loaded()).box,
          .psf = psf,
          .halo = ScaledHalo(halo, HaloFactor(method.description().halo_factor(), boundary)),
          .padded = ToShape3(tile.padded()),
          .boundary = boundary};
}

// The core and the halo around it, as far as `loaded` reaches.
Box3 LoadedFor(const Box3& core, const Shape3& halo, const Box3& loaded) {
  const auto clipped = [](int64_t first, int64_t extent, int64_t reach, int64_t from, int64_t until, int64_t& begin) {
    begin = std::max(first - reach, from);
    return std::min(first + extent + reach, until) - begin;
  };
  Box3 box;
  box.shape.z = clipped(core.origin.z, core.shape.z, halo.z, loaded.origin.z, loaded.end().z, box.origin.z);
  box.shape.y = clipped(core.origin.y, core.shape.y, halo.y, loaded.origin.y, loaded.end().y, box.origin.y);
  box.shape.x = clipped(core.origin.x, core.shape.x, halo.x, loaded.origin.x, loaded.end().x, box.origin.x);
  return box;
}

struct Cut {
  std::array<Box3, 2> cores, loaded;
  Shape3 padded;
};

// Along one axis, whose extents these are.
Cut CutAlong(int64_t Shape3::*extent, int64_t Voxel::*position, const Planned& tile) {
  const int64_t whole = tile.core.shape.*extent, first = (whole / 2 + kBlock / 2) / kBlock * kBlock;
  Cut cut{.cores = {tile.core, tile.core}, .loaded = {}, .padded = {}};
  cut.cores[0].shape.*extent = first;
  cut.cores[1].origin.*position += first;
  cut.cores[1].shape.*extent = whole - first;
  for (size_t i = 0; i < 2; ++i) {
    cut.loaded[i] = LoadedFor(cut.cores[i], tile.halo, tile.loaded);
    cut.padded = Largest(cut.padded, PaddedShape(cut.loaded[i].shape, tile.psf, tile.boundary));
  }
  // That of the tile, which a machine's costs may have chosen, has room for a part, too.
  cut.padded = {std::min(cut.padded.z, tile.padded.z), std::min(cut.padded.y, tile.padded.y),
                std::min(cut.padded.x, tile.padded.x)};
  return cut;
}

std::optional<Cut> BestCut(const Planned& tile) {
  std::optional<Cut> best;
  int64_t least = tile.padded.voxels();
  const auto consider = [&](int64_t Shape3::*extent, int64_t Voxel::*position) {
    if (tile.core.shape.*extent < kLeastExtent) return;
    const Cut cut = CutAlong(extent, position, tile);
    if (cut.padded.voxels() >= least) return;
    least = cut.padded.voxels();
    best = cut;
  };
  consider(&Shape3::z, &Voxel::z);
  consider(&Shape3::y, &Voxel::y);
  consider(&Shape3::x, &Voxel::x);
  return best;
}

// As `box`, of the same frame.
v1::Box Like(const v1::Box& box, const Box3& inside) {
  FrameBox like = ToFrameBox(box);
  like.box = inside;
  return ToProto(like);
}

}  // namespace

std::optional<TileHalves> HalvesOf(const v1::Task& task) {
  if (!task.has_tile() || !task.tile().models().empty()) return std::nullopt;
  const v1::TileTask& tile = task.tile();
  if (tile.spec().tile().whole()) return std::nullopt;
  const Method* const method = FindMethod(tile.spec().method());
  if (method == nullptr || method->description().halo_factor() >= kWholeFrames) return std::nullopt;
  const v1::Boundary boundary = BoundaryOf(tile.spec(), *method);
  if (boundary == v1::PERIODIC) return std::nullopt;
  const Planned planned = PlannedOf(tile, *method, boundary);
  const std::optional<Cut> cut = BestCut(planned);
  if (!cut) return std::nullopt;
  TileHalves halves{.tasks = {task, task}, .padded = cut->padded};
  for (size_t i = 0; i < 2; ++i) {
    v1::TileTask& half = *halves.tasks[i].mutable_tile();
    *half.mutable_core() = Like(tile.core(), cut->cores[i]);
    *half.mutable_loaded() = Like(tile.loaded(), cut->loaded[i]);
    *half.mutable_padded() = ToProto(cut->padded);
    for (v1::OutputPiece& piece : *halves.tasks[i].mutable_outputs()) {
      const Voxel origin = ToFrameBox(piece.box()).box.origin + cut->cores[i].origin - planned.core.origin;
      *piece.mutable_box() = Like(piece.box(), {origin, cut->cores[i].shape});
    }
  }
  return halves;
}

}  // namespace deconvoy::worker
