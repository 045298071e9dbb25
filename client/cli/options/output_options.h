// How much a command says and in which form, and how it writes images.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/console.h"
#include "client/imageio/image_file.h"

namespace deconvoy::client {

// What happens to a file that is there already, for the help of -o.
inline constexpr char kReplaced[] = "; a file of this name is replaced when the new one is complete";

// --json, for commands that only print.
void AddJsonOption(CLI::App& verb, Console& console);

// --json and --quiet, for commands with progress.
void AddProgressOptions(CLI::App& verb, Console& console);

struct ImageOutputOptions {
  std::string compress = "none";
};

// --compress.
void AddImageOutputOptions(CLI::App& verb, ImageOutputOptions& options);

// --save-prepared-psf, of a deconvolution's result.
void AddSavePreparedPsfOption(CLI::App& verb, std::string& file);

imageio::WriteOptions ToWriteOptions(const ImageOutputOptions& options);

}  // namespace deconvoy::client
