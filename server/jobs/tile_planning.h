// What tasks take: the tile plan of a deconvolution and what it depends on besides the volumes, memory, work.
#pragma once

#include <absl/status/statusor.h>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/tile_plan.h"
#include "server/jobs/capabilities.h"

namespace deconvoy::server {

// Extent of each frame of a volume.
Shape3 FrameOf(const v1::VolumeSpec& volume);

// NO_WORKER for a backend that nobody has offered the method on; an empty one stands for any.
absl::Status CheckBackend(const std::string& backend, const v1::Method& method);

// A job's parameters filled in with every default, so that a worker of another version computes the same. Errors as
// ResolveParameters, and INVALID_FIELD for a boundary that the method cannot do, or with which every voxel counts, for
// depths where channels are joined or the PSF is estimated; NO_WORKER for a backend that nobody has offered it on.
absl::StatusOr<v1::DeconvolveSpec> ResolveSpec(const v1::DeconvolveSpec& spec, const v1::Method& method);

// The part of the PSF that can matter: at most 2M-1 of M voxels along each axis, except where a periodic volume lets it
// wrap around.
Shape3 UsablePsf(const Shape3& psf, const Shape3& frame, v1::Boundary boundary);

// What models, and the classical method beside them, need of tiles; all zero without any.
struct ModelNeeds {
  Shape3 halo = {};  // with what aligns their boxes
  double bytes_per_voxel = 0;
};
ModelNeeds NeedsOf(const google::protobuf::RepeatedPtrField<v1::ModelUse>& models,
                   const absl::StatusOr<v1::Method>& classical);

// What a plan depends on besides the specification and the method.
struct PlanInputs {
  Shape3 frame;      // on the result's grid
  Box3 region = {};  // of the frame: what is computed; empty: all of it
  Shape3 given_psf;  // every worker holds it beside its tile
  Shape3 psf;        // cropped
  Shape3 halo;       // all zero while the PSF's spread is not known
  MachineFacts machine;
  int64_t workers = 1;      // like that machine
  int64_t frames = 1;       // that wait for no other
  int64_t psfs = 1;         // that a tile is computed with
  bool bad_pixels = false;  // some were found
  ModelNeeds models = {};
  bool growing = false;  // the frame comes plane by plane (TilePlanRequest)
};

// REQUIRES: `spec` comes from ResolveSpec. Errors as PlanTiles.
absl::StatusOr<TilePlan> PlanJobTiles(const v1::DeconvolveSpec& spec, const v1::Method& method,
                                      const PlanInputs& inputs);

// Least memory of a task that is not a tile: the analysis of a deconvolution, a simulation, a projection, a PSF, an
// export. Workers count a little more before they start: what they read at once, and outputs that they stream. `input`
// and `psf` are the volumes that the spec names, null where it names none. REQUIRES: all have been validated, or are
// empty.
int64_t WholeTaskBytes(const v1::JobSpec& spec, const v1::VolumeSpec* input, const v1::VolumeSpec* psf);

// Iterations of one tile; 1 for a method without any, the most that there may be where that is not decided. REQUIRES:
// as above.
int64_t IterationsOf(const v1::DeconvolveSpec& spec);

// Work of the estimates of PSFs, one for each channel, in the unit of EstimateWork; 0 for a method that estimates none.
double PsfEstimationWork(const v1::DeconvolveSpec& spec, const v1::Method& method, const TilePlan& plan,
                         int64_t channels);

// Work of all frames, each with so many PSFs, in padded voxel iterations of rl, the unit in which workers measure
// themselves.
double EstimateWork(const v1::DeconvolveSpec& spec, const v1::Method& method, const TilePlan& plan, int64_t frames,
                    int64_t psfs);

}  // namespace deconvoy::server
