// Messages of the service as JSON.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>

namespace deconvoy::client {

// proto3's JSON form with the field names of the .proto files; fields with default values are written too, so that
// programs find what they look for.
nlohmann::json ToJson(const google::protobuf::Message& message);

}  // namespace deconvoy::client
