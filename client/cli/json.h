// Messages of the service as JSON.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>

namespace deconvoy::client {

// Field names as in the .proto files, numbers as numbers (64-bit ones too), enums by name, bytes as hexadecimal, times
// in RFC 3339. Plain fields are there whatever their value; messages and alternatives only when set.
nlohmann::json ToJson(const google::protobuf::Message& message);

}  // namespace deconvoy::client
