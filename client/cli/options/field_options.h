// Which option of the command line sets which field of a job.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace deconvoy::client {

struct FieldOption {
  std::string_view verb;    // that has the option; `run` stands for `submit`, too
  std::string_view field;   // `deconvolve.offset_counts`
  std::string_view option;  // `--offset`
};

std::span<const FieldOption> FieldOptions();

// `text` with the options in the place of fields in backticks: what the server says of `deconvolve.offset_counts` is
// said of --offset. Other fields stay.
std::string WithOptions(std::string_view text);

}  // namespace deconvoy::client
