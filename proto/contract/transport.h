// What gRPC itself says of a call's end, as numbers and texts: nothing here needs gRPC.
#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace deconvoy {

// Whether gRPC has ended the call because memory or threads lacked on either side, so that another try may go through:
// RESOURCE_EXHAUSTED without details, which the server's own refusals have, and not for a message that is too large.
// `code` is that of gRPC, which absl::StatusCode shares.
inline bool IsTransportLack(int code, std::string_view message, std::string_view details) {
  return code == static_cast<int>(absl::StatusCode::kResourceExhausted) && details.empty() &&
         message.find("larger than max") == std::string_view::npos;
}

}  // namespace deconvoy
