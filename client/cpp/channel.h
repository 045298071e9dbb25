// The channel to a server. Internal to this library.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "proto/contract/server_access.h"

namespace deconvoy::client {

// A channel of its own to `address`, encrypted where `UsesTls` says so. Every call made through it, of whatever kind,
// shows the token, if there is one.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const ServerAccess& access);

}  // namespace deconvoy::client
