// What an image tells about the camera of one of its channels: gain and read noise (noise_fit.h), bad pixels
// (bad_pixels.h), and what its flat field is scaled by.
//
// Looked at are up to 16 planes, for the noise up to 32 pairs of neighbouring time points or else planes, spread
// evenly.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

struct CameraSurvey {
  v1::ChannelFacts facts;
  std::vector<v1::Finding> findings;
};

// `seen` is the part of the input that is looked at: so many first time points and planes. `mask` and `flat` may be
// null; what the mask leaves out tells nothing. Errors: INVALID_FIELD where the gain cannot be told, for a flat field
// without light, or with dark pixels where every voxel has to count; NOT_FINITE_INPUT for such a flat field; those of
// the source. REQUIRES: `input` has channel `c`; the spec's boundary is given.
absl::StatusOr<CameraSurvey> SurveyCamera(const v1::DeconvolveSpec& spec, const v1::VolumeAccess& input,
                                          const v1::VolumeSpec& seen, const v1::VolumeAccess* mask,
                                          const v1::VolumeAccess* flat, int64_t c, TaskContext& context);

// Whether there are enough planes and pixels to tell bad ones in what is seen, and they are to be found.
bool LooksForBadPixels(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& seen);

// Memory that the survey takes.
int64_t CameraSurveyBytes(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& seen);

}  // namespace deconvoy::worker
