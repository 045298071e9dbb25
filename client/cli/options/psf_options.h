// Where a PSF's origin lies and how much of it is used: --psf-centre and --psf-energy.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <string>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

struct PsfUseOptions {
  std::string centre = "auto";
  double energy = 0.999;
};

void AddPsfUseOptions(CLI::App& verb, PsfUseOptions& options, const char* group);

// An error of usage for what is neither a rule nor a voxel.
absl::Status SetPsfUse(const PsfUseOptions& options, v1::DeconvolveSpec& spec);
absl::Status SetPsfUse(const PsfUseOptions& options, v1::CheckPsfSpec& spec);

}  // namespace deconvoy::client
