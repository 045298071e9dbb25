// A PSF that a job has made, into a file.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <span>
#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/cli/job_run.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/imageio/image_file.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// The box about the middle voxel, as far to both sides of each axis, that holds `energy` of the sum of all values; it
// shrinks by one layer on both sides of the axis that loses least for each voxel. REQUIRES: no value is negative, odd
// extents, energy in (0, 1].
Box3 EnergyBox(std::span<const float> values, const Shape3& shape, double energy);

// Writes the job's output `psf`, cut to EnergyBox where `energy` is below 1, and says so. Errors: those of Download and
// CreateImage. REQUIRES: the output is f32 with one time point and one channel.
absl::Status SavePsf(const Client& client, const v1::Job& job, const std::filesystem::path& file, double energy,
                     const imageio::WriteOptions& options, const Console& console, Progress& progress,
                     const std::stop_token& stop);

// A picture of the file's projections along z and y.
absl::Status SavePicture(Session& session, const std::filesystem::path& file, const std::filesystem::path& picture,
                         Leftovers& leftovers, const Console& console, Progress& progress, const std::stop_token& stop);

}  // namespace deconvoy::client
