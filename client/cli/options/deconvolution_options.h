// What to compute: the options of `run` and `submit`.
#pragma once

#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/options/psf_options.h"
#include "client/cli/options/region_option.h"
#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

struct DeconvolutionOptions {
  std::string method = "rl";
  std::optional<std::string> iterations;  // a whole number, of any size, or `auto`
  std::vector<std::string> set;           // key=value
  std::string background = "auto";
  std::string boundary;  // empty: the method's default
  std::string tile = "auto";
  std::optional<RegionOption> region;  // for SetRegion; without it everything
  PsfUseOptions psf_use;
  std::optional<double> offset;     // without it 0, and not known
  std::optional<std::string> gain;  // photons per count, or `auto`; without it 1, and not known
  double read_noise = 0;
  double dark = 0;  // electrons
  std::string bad_pixels = "auto";
  std::string bleaching = "report";
  std::string flicker = "report";
  std::string motion = "report";
  std::optional<double> saturation;   // counts
  std::vector<double> psf_depths_um;  // empty: one PSF for all
  std::string dtype = "f32";
  bool keep_offset = false;
  std::string backend = "auto";
  std::vector<std::string> models;        // NAME or NAME@N of the server's library, or files
  std::string compare_with;               // empty: the server's own choice
  std::optional<int32_t> compared_tiles;  // of each frame; without it the server's own choice
};

void AddDeconvolutionOptions(CLI::App& verb, DeconvolutionOptions& options);

// As the server takes it, without the volumes and the region; the output's type is left open for `--dtype same`. Models
// that are files have the names that they would get (NetworkArgument). Errors are of usage; those for a value out of
// range are in the server's words.
absl::StatusOr<v1::DeconvolveSpec> ToSpec(const DeconvolutionOptions& options);

// Has the spread of the models' result told, too. Errors are of usage.
absl::Status AskForSpread(v1::DeconvolveSpec& spec);

}  // namespace deconvoy::client
