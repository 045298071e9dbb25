// The server's log: one line per event on standard error, with time and level. What each level means:
// docs/operations.md.
//
// Libraries log through spdlog's default logger. Names that came from outside go through Printable first.
#pragma once

#include <string_view>

namespace deconvoy::server {

// Sets spdlog's default logger. `level` is one of trace, debug, info, warning, error, off. Call before any thread
// starts.
void SetUpLogging(std::string_view level);

}  // namespace deconvoy::server
