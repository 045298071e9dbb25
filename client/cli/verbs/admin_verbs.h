// The commands of the group `deconvoy admin`. Each function adds some, or a group of its own, to it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/program.h"

namespace deconvoy::client {

// `users/{id}` for an id or such a name.
std::string UserArgument(const std::string& text);

void AddAdminUser(CLI::App& group, Program& program);    // user add, set, show, list
void AddAdminGroup(CLI::App& group, Program& program);   // group set, list
void AddAdminToken(CLI::App& group, Program& program);   // token new, list, revoke
void AddAdminServer(CLI::App& group, Program& program);  // pause, resume, drain, undrain, weight, usage

}  // namespace deconvoy::client
