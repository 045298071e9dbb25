// The command-line program: its verbs, and how one of them is run.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "client/cli/console.h"

namespace deconvoy::client {

// What the verbs share. A verb adds itself to the parser; chosen on the command line, it leaves its work in `action`.
struct Program {
  Console console;
  std::function<absl::Status()> action = {};
};

// "deconvoy 1.2.3 (contract 1)".
std::string VersionText();

// The parser with every verb. `program` must outlive it.
std::unique_ptr<CLI::App> MakeParser(Program& program);

// Reads the command line, runs the verb, prints any error; returns the exit code.
int RunProgram(Program& program, int argc, const char* const* argv);

}  // namespace deconvoy::client
