// Ctrl-C: the first asks the work to stop, the second leaves at once.
#pragma once

#include <stop_token>

namespace deconvoy::client {

// Takes SIGINT and SIGTERM over for the rest of the process's life. The token's stop is requested at the first of them;
// the second ends the process with exit code 6, whatever it is doing. The first call must come before other
// threads start.
std::stop_token TakeInterrupts();

}  // namespace deconvoy::client
