// The task that deconvolves one tile of one frame.
//
//   read the loaded box -> photons -> y on the padded domain -> method -> crop to the core -> counts -> output
//                                                                  -> blur -> residual -> statistics, and output if
//                                                                  asked
//
// The loaded box lies at the domain's origin. EXTEND: y covers just it; PERIODIC: the domain is the frame;
// MIRROR: y is reflected into the whole domain. Read noise of variance v is added to y and background alike.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "worker/ops/backend.h"
#include "worker/pipeline/task_context.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {

// Runs TILE tasks one at a time. Operations and OTF are kept for the next tile of the same padded shape and PSF.
class TilePipeline {
 public:
  // `backend` must outlive the pipeline.
  explicit TilePipeline(Backend& backend) : backend_(backend) {}

  // Progress counts iterations. A result with NaN or infinity, or of nothing but zeros though the core has light above
  // the background, is BAD_OUTPUT. Errors: NOT_FINITE_INPUT, BAD_PSF, UNKNOWN_METHOD, those of parameters, source, sink
  // and backend. REQUIRES: task.has_tile().
  absl::StatusOr<v1::TaskResult> Run(const v1::Task& task, TaskContext& context);

  // Gives back the memory that is kept for the next tile.
  void Release();

 private:
  absl::Status Prepare(const v1::Task& task, TaskContext& context);

  Backend& backend_;
  std::string prepared_;  // what `otf_` belongs to
  Shape3 domain_;         // of `ops_`
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Otf> otf_;
  PsfFacts psf_;  // of `otf_`
};

}  // namespace deconvoy::worker
