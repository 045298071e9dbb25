// The commands of the group `deconvoy models`, one file each. Each function adds one to it.
#pragma once

#include <CLI/CLI.hpp>

#include "client/cli/program.h"

namespace deconvoy::client {

void AddModelsTrain(CLI::App& group, Program& program);
void AddModelsKeep(CLI::App& group, Program& program);
void AddModelsImport(CLI::App& group, Program& program);
void AddModelsExport(CLI::App& group, Program& program);
void AddModelsList(CLI::App& group, Program& program);
void AddModelsShow(CLI::App& group, Program& program);
void AddModelsDelete(CLI::App& group, Program& program);

}  // namespace deconvoy::client
