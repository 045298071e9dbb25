// What is wrong with a command line, said in the program's own words.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <string>

namespace deconvoy::client {

// `error` came from parsing with `root`. Unknown commands and options come with the nearest one there is, options
// before the command with where they go. The exit code is that of usage.
absl::Status ToStatus(const CLI::App& root, const CLI::ParseError& error);

// The command called `name` is not one of `app`, the program or a group of commands.
absl::Status UnknownCommand(const CLI::App& app, const std::string& name);

}  // namespace deconvoy::client
