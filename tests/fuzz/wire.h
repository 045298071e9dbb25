// Messages from bytes that are not trusted.
#pragma once

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <string>

namespace deconvoy::fuzz {

// Reads `message` from `bytes`; false where they are none. Quiet, since most are none.
inline bool Parse(google::protobuf::MessageLite& message, const std::string& bytes) {
  const google::protobuf::LogSilencer quiet;
  return message.ParseFromString(bytes);
}

}  // namespace deconvoy::fuzz
