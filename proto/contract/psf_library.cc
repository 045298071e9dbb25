#include "proto/contract/psf_library.h"

#include <fmt/format.h>

#include <string>

#include "proto/contract/error.h"
#include "proto/contract/optics.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"

namespace deconvoy {
namespace {

constexpr size_t kShownIdBytes = 100;

}  // namespace

absl::Status ValidateLibraryDescription(const std::string& text) {
  if (text.size() > kLibraryDescriptionBytes) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = "description",
                      .remedy = "Shorten it.",
                      .metadata = {{"limit", fmt::to_string(kLibraryDescriptionBytes)}}},
                     fmt::format("`description` has {} bytes, more than {}", text.size(), kLibraryDescriptionBytes));
  }
  if (IsUtf8(text)) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .field = "description", .remedy = "Give it in UTF-8."},
                   "`description` is not UTF-8");
}

absl::Status ValidateCreatePsf(const v1::CreatePsfRequest& request) {
  RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  if (!IsPsfId(request.psf_id())) {
    return MakeError(
        {.reason = v1::INVALID_FIELD,
         .field = "psf_id",
         .remedy = "Give 1 to 63 lower-case letters, digits and -, the first of them a letter."},
        fmt::format("`psf_id` is `{}`, which is no name for a PSF", request.psf_id().substr(0, kShownIdBytes)));
  }
  RETURN_IF_ERROR(VolumeId(request.volume(), "volume").status());
  RETURN_IF_ERROR(ValidateLibraryDescription(request.description()));
  return ValidateOptics(request.optics(), request.microscopy(), "psf");
}

}  // namespace deconvoy
