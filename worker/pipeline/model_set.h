// The models of a tile task, loaded and applied.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "worker/learned/network.h"
#include "worker/learned/patch_statistics.h"
#include "worker/methods/network.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Models that have been loaded, kept for the next tile by the digests of their files. Those that are programs are kept
// for the tiles of one job with one descriptor: the next job, maybe another user's, is given to new processes. One
// thread at a time.
class ModelSet {
 public:
  // Reads those of the task that are not there yet, and forgets all others. Errors: CORRUPT_DATA for a file that is not
  // the one that was checked, BAD_MODEL, those of LoadModel and of the source. Models that can end early do so when the
  // task is cancelled; they must not be applied after it. REQUIRES: `context` is the task's.
  absl::Status Load(const v1::Task& task, TaskContext& context);
  void Clear() { models_.clear(); }

  // In the order of the task that was loaded last.
  const std::vector<const learned::Model*>& models() const { return order_; }

 private:
  std::map<std::string, std::unique_ptr<learned::Model>> models_;
  std::vector<const learned::Model*> order_;
};

// Applies models to a box of a frame: each from the first voxel on a multiple of its own step, so that tiles agree. Of
// several it tells the mean; the spread is the root of the models' own mean variance and of the variance of their
// values.
class ModelRestorer : public Restorer {
 public:
  // REQUIRES: at least one model; they must outlive the restorer. `scale` is that of the values given.
  ModelRestorer(const std::vector<const learned::Model*>& models, const learned::Scale& scale)
      : models_(models), scale_(scale) {}

  // Nearer to the box's first faces than some model's step the values are as they were measured, above the offset: a
  // halo of at least each model's own and its step less one voxel keeps them out of the core.
  absl::StatusOr<std::vector<float>> Restore(std::span<const float> values, const Shape3& box,
                                             const Voxel& origin) override;
  // Of the box restored last, in z,y,x order, photons; empty where none is told.
  const std::vector<float>& spread() const { return spread_; }
  // Of the patches that the first model saw last (worker/learned/patch_statistics.h).
  const std::vector<learned::Figures>& patches() const { return patches_; }

 private:
  const std::vector<const learned::Model*>& models_;
  const learned::Scale scale_;
  std::vector<float> spread_;
  std::vector<learned::Figures> patches_;
};

}  // namespace deconvoy::worker
