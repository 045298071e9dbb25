// Values on the command line, as text.
#pragma once

#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// "Z,Y,X" of whole numbers, each at least `least` and below 2^31. The error says what was given and what is expected.
absl::StatusOr<Voxel> ParseVoxel(std::string_view text, int64_t least);

// "Z,Y,X" of positive lengths in micrometres.
absl::StatusOr<v1::VoxelSize> ParseVoxelSize(std::string_view text);

// A finite decimal number.
absl::StatusOr<double> ParseNumber(std::string_view text);

// "key=value" pairs; a key twice is an error. `option` is what they were given with; `remedy` tells which keys there
// are.
absl::StatusOr<std::map<std::string, std::string>> ParseAssignments(const std::vector<std::string>& texts,
                                                                    std::string_view option, std::string_view remedy);

// Options of these kinds, checked while the command line is read.
CLI::Option* AddVoxelSize(CLI::App& verb, const std::string& name, std::optional<v1::VoxelSize>& target,
                          const std::string& meaning);
CLI::Option* AddVoxel(CLI::App& verb, const std::string& name, std::optional<Voxel>& target, int64_t least,
                      const std::string& meaning);

// ASCII letters made small, as names of enumerations are shown.
std::string Lower(std::string text);

// "1.5 GB", "12 kB": powers of 1000, three digits.
std::string BytesText(double bytes);
// "0:42", "12:05", "3:20:11".
std::string DurationText(double seconds);

}  // namespace deconvoy::client
