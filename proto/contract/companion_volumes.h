// Whether the volumes that are given beside an image go with it.
#pragma once

#include <absl/status/status.h>

#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy {

// Whether a volume can be the mask of an image: U8, one time point, one channel or as many, the same extents. Errors:
// SHAPE_MISMATCH, INVALID_FIELD.
absl::Status ValidateMask(const v1::VolumeSpec& image, const v1::VolumeSpec& mask);

// Whether a volume can be the flat field of an image: one plane of its rows and columns, one time point, one channel or
// as many. Errors: SHAPE_MISMATCH.
absl::Status ValidateFlatField(const v1::VolumeSpec& image, const v1::VolumeSpec& flat);

}  // namespace deconvoy
