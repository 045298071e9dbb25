// The command line of deconvoyd.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "server/config/server_config.h"

namespace deconvoy::server {

// What the program is to do, beside answering.
enum class Errand {
  kServe,
  kCheck,   // of a state folder that no server uses
  kRepair,  // likewise: check, mend, check again
  kBackup,  // of the database, also while a server uses it
};

// What the caller asked for.
struct Invocation {
  ServerConfig config;  // defaults, then the file of `--config`, then flags
  // Text to print before leaving with success (`--help`, `--version`, `--print-config`, `--check-config`); empty to
  // serve. With `check_config` only once the files that the configuration names are right, too.
  std::string answer;
  // A private server: it dies with its parent and removes its state folder at the end. State folder and addresses are
  // empty when none were given, so that it makes its own.
  bool local = false;
  Errand errand = Errand::kServe;
  bool json = false;        // of a check: one JSON object instead of text
  std::string backup = {};  // the file that a backup makes
  bool check_config = false;
  bool print_permissions = false;  // print them and leave
  bool init = false;               // make the first administrator and leave
  std::string token_file;          // where the first administrator's token goes; empty: standard output
};

// Errors are INVALID_FIELD, naming the flag or file:line.
absl::StatusOr<Invocation> ParseCommandLine(int argc, const char* const* argv);

}  // namespace deconvoy::server
