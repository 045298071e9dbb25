#include "client/cli/psf_names.h"

#include <fmt/format.h>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"

namespace deconvoy::client {

absl::StatusOr<std::string> PsfArgument(std::string_view text) {
  std::string name = IsOfPsf(text) ? std::string(text) : fmt::format("psfs/{}", text);
  if (const size_t at = name.find('@'); at != std::string::npos) name.replace(at, 1, "/versions/");
  const absl::StatusOr<PsfId> psf = ParsePsfName(name, "psf");
  if (psf.ok()) return PsfName(*psf);
  return UsageError(fmt::format("'{}' is not the name of a PSF", Printable(text)),
                    "Give NAME or NAME@N, for instance gfp-60x or gfp-60x@2: up to 63 lower-case letters, digits and "
                    "-, the first of them a letter.");
}

bool IsLibraryPsf(std::string_view text) {
  return IsOfPsf(text) && PsfArgument(text).ok();
}

std::string ShortPsfName(const std::string& name) {
  const absl::StatusOr<PsfId> psf = ParsePsfName(name, "psf");
  if (!psf.ok() || psf->version == 0) return name;
  return fmt::format("{}@{}", PsfName({psf->id, 0}), psf->version);
}

}  // namespace deconvoy::client
