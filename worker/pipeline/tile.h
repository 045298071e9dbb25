// The task that deconvolves one tile of one frame.
//
//   read the loaded box -> photons -> y on the padded domain -> method -> crop to the core -> counts -> output
//                                                                  -> blur -> residual -> statistics, and output if
//                                                                  asked
//
// A method that joins channels is given y of each. With PSFs of several depths it runs once for each depth that counts
// in the core, and the results are blended (depth_blend.h). Boxes are those of the result's grid, of which the image
// may have only some planes, and some voxels may not count (measured.h). Where nothing that counts lies within reach of
// the PSF the result is what the method starts from; a frame of which nothing counts gives zeros.
//
// A method that takes a denoiser is given a model for it, where the task names one. It runs on processors, whatever the
// backend: the estimate goes out and back in every iteration.
//
// A method that runs models is given them with the job's scale. Its result is also compared, where the task says so,
// with that of a classical method on the same y (trust.h), and its spread written where asked for.
//
// A tile tells its context when it is loaded and when its method is done, so that a neighbour can be loaded and
// unloaded while it computes. What is summed up over its result, a convolution among it, is part of being unloaded.
//
// The loaded box lies at the domain's origin. EXTEND: y covers just it; PERIODIC: the domain is the frame;
// MIRROR: y is reflected into the whole domain. Read noise of variance v is added to y and background alike.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "worker/ops/backend.h"
#include "worker/pipeline/model_set.h"
#include "worker/pipeline/psf_set.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Runs TILE, CALIBRATE and ESTIMATE_PSF tasks one at a time. Operations and OTFs are kept for the next tile of the same
// padded shape and PSFs.
class TilePipeline {
 public:
  // `backend` must outlive the pipeline.
  explicit TilePipeline(Backend& backend) : backend_(backend) {}

  // Progress counts iterations. A result with NaN or infinity, or of nothing but zeros though the core has light above
  // the background, is BAD_OUTPUT. Errors: NOT_FINITE_INPUT, BAD_PSF, UNKNOWN_METHOD, those of parameters, source, sink
  // and backend. REQUIRES: task.has_tile().
  absl::StatusOr<v1::TaskResult> Run(const v1::Task& task, TaskContext& context);

  // Finds the automatic parameters on a tile; none where its frame is blank. Progress counts iterations of those that
  // may be needed. Errors as Run. REQUIRES: task.has_calibrate().
  absl::StatusOr<v1::TaskResult> Calibrate(const v1::Task& task, TaskContext& context);

  // Estimates the PSF of the tile's channel; from a blank frame nothing is told, and the given one is written. Progress
  // counts the method's steps. Errors as Run; INVALID_FIELD for a method that estimates none. REQUIRES:
  // task.has_estimate_psf().
  absl::StatusOr<v1::TaskResult> EstimatePsf(const v1::Task& task, TaskContext& context);

  // Gives back the memory that is kept for the next tile.
  void Release();

 private:
  absl::Status OpenDomain(const Shape3& domain);
  absl::Status LoadModels(const v1::Task& task, TaskContext& context);

  Backend& backend_;
  Shape3 domain_;  // of `ops_`
  std::unique_ptr<Ops> ops_;
  PsfSet psfs_;
  ModelSet models_;
};

}  // namespace deconvoy::worker
