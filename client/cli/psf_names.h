// Names of the library's PSFs, as users type them.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace deconvoy::client {

// `psfs/{id}` or `psfs/{id}/versions/{n}` from NAME, NAME@N, psfs/NAME, psfs/NAME@N or psfs/NAME/versions/N. Errors are
// of usage.
absl::StatusOr<std::string> PsfArgument(std::string_view text);

// Whether an argument that may also be a file names a PSF of the library: it begins with `psfs/`, and PsfArgument takes
// it. A file of that name is given as ./psfs/NAME.
bool IsLibraryPsf(std::string_view text);

// `psfs/NAME@N` for `psfs/NAME/versions/N`; other names stay.
std::string ShortPsfName(const std::string& name);

}  // namespace deconvoy::client
