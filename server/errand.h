// What deconvoyd does instead of serving: checks, repairs and backups.
#pragma once

#include "server/config/command_line.h"

namespace deconvoy::server {

// Does the errand of the invocation; findings go to standard output, progress and errors to standard error. Returns the
// exit code: 0 when done and nothing is wrong, 1 when something is, or remains, wrong with the state folder, 3 when the
// folder, or the place of the backup, cannot be used. REQUIRES: the errand is not kServe.
int RunErrand(const Invocation& invocation);

}  // namespace deconvoy::server
