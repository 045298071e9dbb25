// The part of a tile that a classical method computes, too, beside the models.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <vector>

#include "worker/ops/backend.h"
#include "worker/pipeline/measured.h"
#include "worker/pipeline/psf_set.h"
#include "worker/pipeline/tile_job.h"

namespace deconvoy::worker {

// At most so much of a tile is compared, from its middle: a whole one would take longer than many models do.
inline constexpr Shape3 kMostCompared{64, 192, 192};

// The job with the classical method that it names, whose parameters are its own, on that part and the halo that the
// method needs; for a method that needs all of a frame, on all that is loaded. Errors: UNKNOWN_METHOD, those of
// parameters.
absl::StatusOr<TileJob> ClassicalJob(const TileJob& job);

// What a job on a part of a tile is computed with: that of the tile where the part is all of it.
class ComparedPart {
 public:
  // `part` is what ClassicalJob makes of `whole`, whose operations, PSFs and views are given and must outlive it, as
  // must the backend. Errors: those of `psfs` and of the backend.
  static absl::StatusOr<ComparedPart> Of(const v1::Task& task, const TileJob& whole, const TileJob& part,
                                         VolumeSource& source, Backend& backend, Ops& ops, const PsfSet& psfs,
                                         const std::vector<Measured>& views);

  Ops& ops() const { return own_ops_ == nullptr ? *ops_ : *own_ops_; }
  const PsfSet& psfs() const { return own_ops_ == nullptr ? *psfs_ : own_psfs_; }
  const std::vector<Measured>& views() const { return own_ops_ == nullptr ? *views_ : own_views_; }

 private:
  Ops* ops_ = nullptr;
  const PsfSet* psfs_ = nullptr;
  const std::vector<Measured>* views_ = nullptr;
  // Null and empty where they are the tile's.
  std::unique_ptr<Ops> own_ops_;
  PsfSet own_psfs_;
  std::vector<Measured> own_views_;
};

}  // namespace deconvoy::worker
