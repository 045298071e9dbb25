// The optics that an image or a PSF is said to have: none, one for all channels, or one for each.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy {

using OpticsList = google::protobuf::RepeatedPtrField<v1::Optics>;

// INVALID_FIELD, naming the field as `{work}.optics.na`, for what ValidateModelPsf (model_psf.h) refuses, with the
// channel where there are several; and for a kind of microscope without optics. `work` is `deconvolve` or `check_psf`.
absl::Status ValidateOptics(const OpticsList& optics, v1::Microscopy microscopy, std::string_view work);

// SHAPE_MISMATCH unless there are none, one, or one for each of `channels`. `what` has them, for people: `image`.
absl::Status ValidateOpticsCount(const OpticsList& optics, int64_t channels, std::string_view what,
                                 std::string_view work);

// Those of channel `c`; null where none are known. REQUIRES: ValidateOpticsCount accepts them, c is a channel.
const v1::Optics* OpticsOf(const OpticsList& optics, int64_t c);

}  // namespace deconvoy
