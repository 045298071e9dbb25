// How urgent the jobs of a command are: the option --class.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::client {

// For commands that submit deconvolutions. `target` becomes auto, interactive, normal or batch, and should be auto
// before.
void AddClassOption(CLI::App& verb, std::string& target);

// The class that `name` stands for. `auto` takes a deconvolution for a preview, INTERACTIVE, where it has a region of
// at most a sixteenth of a frame that in all time points and channels of `image` is not more than one frame; else
// NORMAL.
v1::JobClass JobClassOf(const std::string& name, const v1::VolumeSpec& image, const v1::DeconvolveSpec& spec);

}  // namespace deconvoy::client
