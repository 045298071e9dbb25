// Messages from bytes that are not trusted.
#pragma once

#include <absl/status/status.h>
#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <string>

#include "proto/contract/error.h"
#include "tests/fuzz/input.h"

namespace deconvoy::fuzz {

// Reads `message` from `bytes`; false where they are none. Quiet, since most are none.
inline bool Parse(google::protobuf::MessageLite& message, const std::string& bytes) {
  const google::protobuf::LogSilencer quiet;
  return message.ParseFromString(bytes);
}

// Reads two messages: the first has its length before it, the second is the rest.
inline bool ParseTwo(Input& input, google::protobuf::MessageLite& first, google::protobuf::MessageLite& second) {
  return Parse(first, input.TakeText()) && Parse(second, input.Rest());
}

// What is promised of every refusal.
inline void CheckRefusal(const absl::Status& status) {
  Require(ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED, "a refusal has a reason");
  Require(IsUtf8(std::string(status.message())), "a refusal can be sent");
}

}  // namespace deconvoy::fuzz
