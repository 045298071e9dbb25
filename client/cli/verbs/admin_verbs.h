// The commands of the group `deconvoy admin`. Each function adds some to it.
#pragma once

#include <CLI/CLI.hpp>

#include "client/cli/program.h"

namespace deconvoy::client {

void AddAdminServer(CLI::App& group, Program& program);  // pause, resume, drain, undrain, weight, usage

}  // namespace deconvoy::client
