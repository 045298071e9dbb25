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
#include "proto/contract/server_access.h"

namespace deconvoy::worker {

// Thread safe.
class ServerLink {
 public:
  // `address` as gRPC takes it, for instance `unix:/path` or `host:port`; encrypted where `UsesTls` says so.
  // `credential_file` is read once, here; where it is empty, the token of `access` is shown in its place. Errors:
  // UNAUTHENTICATED_WORKER when the file cannot be read or holds no word of plain text; INVALID_FIELD for a text that
  // can be no token.
  static absl::StatusOr<std::unique_ptr<ServerLink>> Open(const std::string& address,
                                                          const std::filesystem::path& credential_file,
                                                          const ServerAccess& access = {});

  v1::Workers::Stub& stub() { return *stub_; }
  // The context of one call: credential and deadline. The call waits for a server that is away, unless told otherwise:
  // gRPC moves an attempt to connect forward only while a call waits for it.
  std::unique_ptr<grpc::ClientContext> NewContext(std::chrono::milliseconds timeout) const;
  const std::string& address() const { return address_; }

 private:
  ServerLink(std::string address, std::string credential, const ServerAccess& access);

  const std::string address_;
  const std::string credential_;
  const std::unique_ptr<v1::Workers::Stub> stub_;
};

// A call's outcome as this program knows errors. A missed deadline is UNAVAILABLE: worth another try.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace deconvoy::worker
