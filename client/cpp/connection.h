// The gRPC side of a client: channel, stubs, and how one call is made. Internal to this library.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "client/cpp/retry.h"
#include "deconvoy/v1/admin.grpc.pb.h"
#include "deconvoy/v1/jobs.grpc.pb.h"
#include "deconvoy/v1/methods.grpc.pb.h"
#include "deconvoy/v1/volumes.grpc.pb.h"

namespace deconvoy::client {

// How long one attempt of a call may take.
inline constexpr absl::Duration kShortCall = absl::Seconds(60);
// For calls that may reserve space on slow storage.
inline constexpr absl::Duration kReservingCall = absl::Minutes(10);

// One server. Thread safe.
class Connection {
 public:
  Connection(std::string address, const RetryPolicy& retry);

  const std::string& address() const { return address_; }
  const RetryPolicy& retry() const { return retry_; }

  v1::Volumes::Stub& volumes() { return *volumes_; }
  v1::Jobs::Stub& jobs() { return *jobs_; }
  v1::Methods::Stub& methods() { return *methods_; }
  v1::Admin::Stub& admin() { return *admin_; }

  // What the server said of itself first. Set once, before the connection is shared.
  v1::ServerInfo server_info;

  // A gRPC status as the service's own; failures of the transport name the server and say what to do.
  absl::Status ToStatus(const grpc::Status& status) const;

  // Waits by this connection's policy, or another, between attempts.
  Retrier MakeRetrier(std::stop_token stop) const { return MakeRetrier(retry_, std::move(stop)); }
  Retrier MakeRetrier(const RetryPolicy& policy, std::stop_token stop) const;

  // Makes a unary call, again and again while the answer is UNAVAILABLE. `limit` is per attempt; `stop` cancels.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, absl::Duration limit = kShortCall,
                                std::stop_token stop = {}) const {
    return CallWith(retry_, stub, method, request, limit, stop);
  }

  // The same with another policy.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> CallWith(const RetryPolicy& policy, Stub& stub,
                                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                    const Request& request, absl::Duration limit, std::stop_token stop) const {
    Retrier retrier = MakeRetrier(policy, stop);
    for (;;) {
      grpc::ClientContext context;
      if (limit != absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + limit));
      Response response;
      const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
      const absl::Status status = ToStatus((stub.*method)(&context, request, &response));
      if (status.ok()) return response;
      if (absl::Status end = retrier.Pause(status); !end.ok()) return end;
    }
  }

 private:
  const std::string address_;
  const RetryPolicy retry_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Volumes::Stub> volumes_;
  const std::unique_ptr<v1::Jobs::Stub> jobs_;
  const std::unique_ptr<v1::Methods::Stub> methods_;
  const std::unique_ptr<v1::Admin::Stub> admin_;

  Connection(std::string address, const RetryPolicy& retry, const std::shared_ptr<grpc::Channel>& channel);
};

// Refuses what is neither `unix:/path` nor `host:port`.
absl::Status CheckAddress(const std::string& address);

// A new id for a request that creates something: 32 hexadecimal digits.
std::string NewRequestId();

}  // namespace deconvoy::client
