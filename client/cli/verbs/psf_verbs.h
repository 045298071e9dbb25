// The commands of the group `deconvoy psf`, one file each. Each function adds one to it.
#pragma once

#include <CLI/CLI.hpp>

#include "client/cli/program.h"

namespace deconvoy::client {

void AddPsfGenerate(CLI::App& group, Program& program);
void AddPsfDistill(CLI::App& group, Program& program);
void AddPsfCheck(CLI::App& group, Program& program);
void AddPsfAdd(CLI::App& group, Program& program);
void AddPsfList(CLI::App& group, Program& program);
void AddPsfShow(CLI::App& group, Program& program);
void AddPsfRemove(CLI::App& group, Program& program);

}  // namespace deconvoy::client
