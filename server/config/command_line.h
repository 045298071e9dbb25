// The command line of deconvoyd.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "server/config/server_config.h"

namespace deconvoy::server {

// What the caller asked for.
struct Invocation {
  ServerConfig config;  // defaults, then the file of `--config`, then flags
  // Text to print before leaving with success (`--help`, `--version`, `--print-config`, `--check-config`); empty to
  // serve.
  std::string answer;
  // A private server: it dies with its parent and removes its state folder at the end. State folder and addresses are
  // empty when none were given, so that it makes its own.
  bool local = false;
};

// Errors are INVALID_FIELD, naming the flag or file:line.
absl::StatusOr<Invocation> ParseCommandLine(int argc, const char* const* argv);

}  // namespace deconvoy::server
