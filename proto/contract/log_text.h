// A status as the logs show it.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace deconvoy {

// "CODE: message", without the serialised details.
inline std::string LogText(const absl::Status& status) {
  return status.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

}  // namespace deconvoy
