// Errors of gRPC as those of the service. Internal to this library.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

namespace deconvoy::client {

// How a call to the server at `address` ended. What the service itself answered stays as it is; failures of the
// transport name the server, say what they mean to a person and what to do, and carry gRPC's words in their metadata
// (`transport`). A call that was broken off on the way is UNAVAILABLE; a server that does not know the call is
// INCOMPATIBLE_VERSION.
absl::Status FromGrpc(const std::string& address, const grpc::Status& status);

// UNAVAILABLE: the server did not answer at all, for this reason.
absl::Status NotReached(const std::string& address, std::string_view cause);

}  // namespace deconvoy::client
