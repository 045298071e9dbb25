#include "worker/pipeline/compared_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

// At most `most` voxels along each axis.
Box3 Middle(const Box3& box, const Shape3& most) {
  const Shape3 part{std::min(box.shape.z, most.z), std::min(box.shape.y, most.y), std::min(box.shape.x, most.x)};
  return {box.origin + Voxel{(box.shape.z - part.z) / 2, (box.shape.y - part.y) / 2, (box.shape.x - part.x) / 2}, part};
}

Box3 Grown(const Box3& box, const Shape3& halo) {
  return {box.origin - Voxel{halo.z, halo.y, halo.x},
          {box.shape.z + 2 * halo.z, box.shape.y + 2 * halo.y, box.shape.x + 2 * halo.x}};
}

absl::StatusOr<std::unique_ptr<Array>> Part(const Array& array, const Box3& box, Ops& from, Ops& to) {
  std::vector<float> values(static_cast<size_t>(box.shape.voxels()));
  RETURN_IF_ERROR(from.Download(array, box, values));
  ASSIGN_OR_RETURN(std::unique_ptr<Array> part, to.Allocate({{}, box.shape}));
  RETURN_IF_ERROR(to.Upload(values, part->box(), *part));
  return part;
}

}  // namespace

absl::StatusOr<TileJob> ClassicalJob(const TileJob& job) {
  const std::string& name = job.tile.spec().classical_method();
  TileJob classical = job;
  classical.method = FindMethod(name);
  if (classical.method == nullptr || classical.method->description().needs_models()) {
    return MakeError({.reason = v1::UNKNOWN_METHOD, .field = "deconvolve.classical_method"},
                     fmt::format("this worker has no classical method `{}`", Printable(name)));
  }
  const v1::Method& method = classical.method->description();
  ASSIGN_OR_RETURN(classical.parameters, ResolveParameters(method, {}));
  classical.core.box = Middle(job.core.box, kMostCompared);
  const bool whole = classical.core.box == job.core.box || job.boundary != v1::EXTEND;
  if (whole || method.halo_factor() >= kWholeFrames) return classical;
  const v1::PsfReport& report = job.tile.psfs(0);
  const Shape3 psf = ToShape3(report.crop_shape());
  const Shape3 halo = ScaledHalo({HaloExtent(psf.z, report.spread_z()), HaloExtent(psf.y, report.spread_y()),
                                  HaloExtent(psf.x, report.spread_x())},
                                 HaloFactor(method.halo_factor(), job.boundary));
  classical.loaded.box = Intersect(Grown(classical.core.box, halo), job.loaded.box);
  if (classical.loaded.box == job.loaded.box) return classical;
  // That of the tile, whose margin its place in the frame and a machine's costs may have chosen, has room for a part,
  // too.
  const Shape3 padded = PaddedShape(classical.loaded.box.shape, psf, job.boundary);
  classical.domain = {std::min(padded.z, job.domain.z), std::min(padded.y, job.domain.y),
                      std::min(padded.x, job.domain.x)};
  return classical;
}

absl::StatusOr<ComparedPart> ComparedPart::Of(const v1::Task& task, const TileJob& whole, const TileJob& part,
                                              VolumeSource& source, Backend& backend, Ops& ops, const PsfSet& psfs,
                                              const std::vector<Measured>& views) {
  ComparedPart compared;
  if (part.loaded.box == whole.loaded.box) {
    compared.ops_ = &ops;
    compared.psfs_ = &psfs;
    compared.views_ = &views;
    return compared;
  }
  ASSIGN_OR_RETURN(compared.own_ops_, backend.Open(part.domain));
  std::vector<const v1::PsfReport*> reports;
  for (const v1::PsfReport& report : whole.tile.psfs()) reports.push_back(&report);
  RETURN_IF_ERROR(compared.own_psfs_.Prepare(task, reports, source, *compared.own_ops_));
  const Box3 box{part.loaded.box.origin - whole.loaded.box.origin, part.loaded.box.shape};
  for (const Measured& view : views) {
    Measured& own = compared.own_views_.emplace_back();
    ASSIGN_OR_RETURN(own.y, Part(*view.y, box, ops, *compared.own_ops_));
    if (view.mask == nullptr) continue;
    ASSIGN_OR_RETURN(own.mask, Part(*view.mask, box, ops, *compared.own_ops_));
  }
  return compared;
}

}  // namespace deconvoy::worker
