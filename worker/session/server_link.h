// The connection to the server: where it is and how this worker proves itself.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "deconvoy/v1/workers.grpc.pb.h"

namespace deconvoy::worker {

// Thread safe.
class ServerLink {
 public:
  // `address` as gRPC takes it, for instance `unix:/path` or `host:port`. `credential_file` is read once, here. Errors:
  // UNAUTHENTICATED_WORKER when it cannot be read or holds no word of plain text.
  static absl::StatusOr<std::unique_ptr<ServerLink>> Open(const std::string& address,
                                                          const std::filesystem::path& credential_file);

  v1::Workers::Stub& stub() { return *stub_; }
  // The context of one call: credential and deadline. The call waits for a server that is away, unless told otherwise:
  // gRPC moves an attempt to connect forward only while a call waits for it.
  std::unique_ptr<grpc::ClientContext> NewContext(std::chrono::milliseconds timeout) const;
  const std::string& address() const { return address_; }

 private:
  ServerLink(std::string address, std::string credential);

  const std::string address_;
  const std::string credential_;
  const std::unique_ptr<v1::Workers::Stub> stub_;
};

// A call's outcome as this program knows errors. A missed deadline is UNAVAILABLE: worth another try.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace deconvoy::worker
