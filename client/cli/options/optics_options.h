// A microscope's optics on the command line: --optics and --microscopy, and how a PSF is computed from them: --model
// and --zernike.
#pragma once

#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

// Kinds of microscopes by their name on the command line.
const std::map<std::string, v1::Microscopy>& MicroscopyNames();

// The name of a kind; that of the wide field for MICROSCOPY_UNSPECIFIED.
std::string MicroscopyName(v1::Microscopy kind);

// Fields of Optics by name, each with one value for all channels, or one for each.
using OpticsValues = std::map<std::string, std::vector<double>>;

// From NAME=VALUE and NAME=VALUE/VALUE/...; errors are of usage, and name the nearest field.
absl::StatusOr<OpticsValues> ParseOpticsValues(const std::vector<std::string>& texts);

// Sets the fields of channel `c`. REQUIRES: every list has one value or more than `c`.
void SetOptics(const OpticsValues& values, size_t c, v1::Optics& optics);

// The optics of one channel. Errors are of usage.
absl::StatusOr<v1::Optics> ParseOptics(const std::vector<std::string>& texts);

struct OpticsOptions {
  std::vector<std::string> optics = {};  // NAME=VALUE
  std::string microscopy = {};           // empty: as the image's file tells
  bool assume = false;                   // what neither file nor options tell

  // Whether the command line tells of optics at all.
  bool tell() const { return !optics.empty() || !microscopy.empty() || assume; }
};

// --optics, --microscopy and --assume, for verbs that have an image whose file may tell the rest.
void AddOpticsOptions(CLI::App& verb, OpticsOptions& options);

struct PsfModelOptions {
  std::string model = {};                 // empty: richards-wolf
  std::vector<std::string> zernike = {};  // NUMBER=WAVES

  bool given() const { return !model.empty() || !zernike.empty(); }
};

// --model and --zernike, for verbs that have a PSF computed.
void AddPsfModelOptions(CLI::App& verb, PsfModelOptions& options);

// Sets the model, and adds the aberrations to the optics. Errors are of usage; that modes and strengths go together
// with the model is for ValidateModelPsf to say.
absl::Status SetPsfModel(const PsfModelOptions& options, v1::ModelPsfSpec& spec);

// The name of a model; that of richards-wolf for PSF_MODEL_UNSPECIFIED.
std::string PsfModelName(v1::PsfModel model);

}  // namespace deconvoy::client
