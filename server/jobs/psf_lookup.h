// PSFs that a job names by their place in the library.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>

#include "deconvoy/v1/jobs.pb.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Where the job names its PSF as `psfs/...`, puts the name of its volume there, and the optics that the PSF is kept
// with where the job could tell them but tells none. The finding says which version it is: `psf`, `volume` and `digest`
// (hexadecimal) are in its metadata. Nothing where the job names a volume, or no PSF. NOT_FOUND, naming the field.
absl::StatusOr<std::optional<v1::Finding>> LookUpPsf(Store& store, const std::string& owner, v1::JobSpec& spec);

}  // namespace deconvoy::server
