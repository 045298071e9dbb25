// Checks of requests to the library of PSFs.
#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <string>

#include "deconvoy/v1/psfs.pb.h"

namespace deconvoy {

inline constexpr size_t kLibraryDescriptionBytes = 1023;

// INVALID_FIELD or LIMIT_EXCEEDED for what is no description of something that is kept under a name.
absl::Status ValidateLibraryDescription(const std::string& text);

// INVALID_FIELD or LIMIT_EXCEEDED unless the request is well formed: request id, name, volume's name, description, and
// optics that a PSF can have. Whether they are as many as the volume has channels needs the volume.
absl::Status ValidateCreatePsf(const v1::CreatePsfRequest& request);

}  // namespace deconvoy
