// A microscope's optics on the command line: --optics and --microscopy.
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

}  // namespace deconvoy::client
