// The image and the PSF of a deconvolution, from files to a job's description. Shared by `run` and `submit`.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "client/cli/images.h"
#include "client/cli/job_run.h"
#include "client/cli/options/deconvolution_options.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"

namespace deconvoy::client {

struct InputOptions {
  std::string input;
  std::string psf;
  std::optional<v1::VoxelSize> voxel_um;
  std::optional<v1::VoxelSize> psf_voxel_um;
};

void AddInputOptions(CLI::App& verb, InputOptions& options);

struct DeconvolveInputs {
  InputImage image;
  InputImage psf;
};

// Opens both files and checks that they go together, before anything is sent.
absl::StatusOr<DeconvolveInputs> OpenInputs(const InputOptions& options, Progress& progress);

// Checks method and parameters with what the session's server offers, uploads both volumes, and returns the job to
// submit. A local server is not asked first: its worker may still be starting, and Submit checks the same.
absl::StatusOr<v1::JobSpec> UploadInputs(Session& session, DeconvolveInputs& inputs, v1::DeconvolveSpec deconvolve,
                                         Leftovers& leftovers, Progress& progress, const std::stop_token& stop);

}  // namespace deconvoy::client
