// Who makes a call.
#pragma once

#include <string>
#include <string_view>

namespace deconvoy::server {

// What a call says about itself, as its transport gives it.
struct Caller {
  std::string owner;  // in whose name volumes and jobs are made and found
};

// The caller behind a transport address such as `unix:` or `ipv4:127.0.0.1:40100`. The server listens on this machine
// only, and everyone who can reach it is the one user `local`.
Caller IdentifyCaller(std::string_view peer);

}  // namespace deconvoy::server
