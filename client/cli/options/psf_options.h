// Where a PSF's origin lies, how much of it is used and what is taken off it: --psf-centre, --psf-energy and
// --psf-background.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <string>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

struct PsfUseOptions {
  std::string centre = "auto";
  double energy = 0.999;
  std::string background = "none";
};

void AddPsfUseOptions(CLI::App& verb, PsfUseOptions& options, const char* group);

// Errors of usage: what is neither a rule nor a voxel; no energy; what is neither a kind of background nor a number.
absl::Status SetPsfUse(const PsfUseOptions& options, v1::DeconvolveSpec& spec);
absl::Status SetPsfUse(const PsfUseOptions& options, v1::CheckPsfSpec& spec);

}  // namespace deconvoy::client
