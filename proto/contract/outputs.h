// The volumes that a job makes: the server creates them, the worker writes them.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy {

// The roles of a training's volumes: what it yields, and its states, which go with its end.
inline constexpr char kModelRole[] = "model";
inline constexpr char kTrainingRole[] = "training";
inline constexpr char kSpreadRole[] = "spread";  // of a deconvolution

// One volume that a job makes.
struct PlannedOutput {
  std::string role;  // as in v1::JobOutput
  v1::VolumeSpec spec;
};

// The outputs of a job, in the order of its tasks' output pieces:
//   deconvolve: `estimate`, a ResultVolume of `input` (deconvolution.h), of the type asked for (f32 by
//               default), of one channel where the method joins them; `residual` (f32) where asked for; `spread`
//               (f32, like `estimate`) where asked for; and `psf` (f32, of `psf`'s extents, the channels of `input` and
//               one time point) where the method estimates it;
//   simulate:   `truth` (f32), `psf` (f32, of `psf`'s shape or `GaussianPsfShape`), `raw` (u16 by default);
//   project:    `projection`, like `input` with one voxel along the axis;
//   model_psf, distill: `psf` (f32) of the extents asked for;
//   prepare_psf: `psf` (f32), PreparedPsfVolume of prepared_psf.h;
//   train_model: `model` and `training`, ByteVolumes (byte_volume.h) for the file and the states of `network`,
//               with room for `psf` where it has that inside;
//   check_psf, check_model, export_file: none; import_file: none yet, since only its first task tells what is in it.
// `method` is that of a deconvolution; null stands for one that joins no channels and estimates no PSF. `input` is the
// volume named in the spec, null for simulate; `psf` that of simulate, prepare_psf, train_model or such a method, null
// if it names none; `network` that of a training. Errors: INVALID_FIELD (a volume that the spec names is missing),
// LIMIT_EXCEEDED (an output would be too large), SHAPE_MISMATCH and VOXEL_SIZE_MISMATCH (a simulation's PSF does not
// suit it, or reports a PSF that is prepared).
absl::StatusOr<std::vector<PlannedOutput>> PlanOutputs(const v1::JobSpec& spec, const v1::VolumeSpec* input,
                                                       const v1::VolumeSpec* psf, const v1::Method* method = nullptr,
                                                       const v1::NetworkDescription* network = nullptr);

}  // namespace deconvoy
