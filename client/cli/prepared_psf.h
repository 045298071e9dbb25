// The PSF as a job has prepared it, as a file on request: a second job makes it from what the first one tells.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <stop_token>
#include <string>

#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/imageio/image_file.h"
#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::client {

// What is to be prepared: of a deconvolution that has estimated its PSF, the estimate of each channel, else the PSF
// that it was given, or that was checked. A usage error for a job that tells nothing of a PSF.
absl::StatusOr<v1::PreparePsfSpec> PreparedPsfOf(const v1::Job& job);

// Has a worker prepare the PSF of a job that has succeeded, and writes it to `file`. Returns what was written. Neither
// the job for it nor its volume stays on the server. Errors: those of PreparedPsfOf, RunJob and DownloadImage;
// NOT_FOUND where the server has the PSF no more.
absl::StatusOr<v1::VolumeSpec> SavePreparedPsf(Session& session, const v1::Job& job, const std::filesystem::path& file,
                                               const imageio::WriteOptions& options, Progress& progress,
                                               const std::stop_token& stop);

}  // namespace deconvoy::client
