// What tells a request that comes again from another one under the same id.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace deconvoy::server {

// SHA-256 of the message's type and fields: 32 bytes, the same for equal messages.
std::string DigestOfRequest(const google::protobuf::Message& request);

}  // namespace deconvoy::server
