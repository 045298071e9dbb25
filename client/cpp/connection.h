// The gRPC side of a client: channel, stubs, and how one call is made. Internal to this library.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "client/cpp/retry.h"
#include "client/cpp/transport_error.h"
#include "deconvoy/v1/admin.grpc.pb.h"
#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "deconvoy/v1/jobs.grpc.pb.h"
#include "deconvoy/v1/methods.grpc.pb.h"
#include "deconvoy/v1/models.grpc.pb.h"
#include "deconvoy/v1/psfs.grpc.pb.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "proto/contract/server_access.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {

// How long one attempt of a call may take.
inline constexpr absl::Duration kShortCall = absl::Seconds(60);
// For calls that may reserve space on slow storage.
inline constexpr absl::Duration kReservingCall = absl::Minutes(10);

// A unary call of a stub.
template <class Stub, class Request, class Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

// How chunks are packed on their way.
struct Packing {
  v1::Compression kind = v1::COMPRESSION_UNSPECIFIED;
  bool always = false;  // also where it does not pay
};

// One server. Thread safe.
class Connection {
 public:
  Connection(std::string address, const ServerAccess& access, const RetryPolicy& retry, OutageObserver observer);

  const std::string& address() const { return address_; }

  v1::Volumes::Stub& volumes() { return *volumes_; }
  v1::Jobs::Stub& jobs() { return *jobs_; }
  v1::Deconvolution::Stub& deconvolution() { return *deconvolution_; }
  v1::Methods::Stub& methods() { return *methods_; }
  v1::Psfs::Stub& psfs() { return *psfs_; }
  v1::Models::Stub& models() { return *models_; }
  v1::Admin::Stub& admin() { return *admin_; }

  // What the server said of itself first. Set once, before the connection is shared.
  v1::ServerInfo server_info;
  // Of uploads and downloads. Set as `server_info`.
  Packing packing;

  // How a call ended (`client/cpp/transport_error.h`).
  absl::Status ToStatus(const grpc::Status& status) const { return FromGrpc(address_, status); }

  // Waits by this connection's policy between attempts, and tells the observer.
  Retrier MakeRetrier(std::stop_token stop) const;
  // Waits by another policy, and tells nobody.
  Retrier MakeQuietRetrier(const RetryPolicy& policy, std::stop_token stop) const;

  // Makes a unary call, again and again while the answer is UNAVAILABLE. `limit` is per attempt; `stop` cancels.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                std::stop_token stop, absl::Duration limit = kShortCall) const {
    Retrier retrier = MakeRetrier(stop);
    auto response = Repeat(retrier, stub, method, request, stop, limit);
    if (response.ok()) retrier.Reset();
    return response;
  }

  // The same for a call that creates something: `stop` ends the repetitions only, so that what an attempt has created
  // is known.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Create(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                  std::stop_token stop) const {
    Retrier retrier = MakeRetrier(std::move(stop));
    auto response = Repeat(retrier, stub, method, request, {}, kReservingCall);
    if (response.ok()) retrier.Reset();
    return response;
  }

  // The same once, for what must not be done twice.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Once(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                const std::stop_token& stop) const {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kShortCall));
    Response response;
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    RETURN_IF_ERROR(ToStatus((stub.*method)(&context, request, &response)));
    return response;
  }

  // The repetitions of `Call` as part of a longer work, which `retrier` follows.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Repeat(Retrier& retrier, Stub& stub, Method<Stub, Request, Response> method,
                                  const Request& request, const std::stop_token& stop,
                                  absl::Duration limit = kShortCall) const {
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
  const OutageObserver observer_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Volumes::Stub> volumes_;
  const std::unique_ptr<v1::Jobs::Stub> jobs_;
  const std::unique_ptr<v1::Deconvolution::Stub> deconvolution_;
  const std::unique_ptr<v1::Methods::Stub> methods_;
  const std::unique_ptr<v1::Psfs::Stub> psfs_;
  const std::unique_ptr<v1::Models::Stub> models_;
  const std::unique_ptr<v1::Admin::Stub> admin_;

  Connection(std::string address, const RetryPolicy& retry, OutageObserver observer,
             const std::shared_ptr<grpc::Channel>& channel);
};

// A new id for a request that creates something: 32 hexadecimal digits.
std::string NewRequestId();

}  // namespace deconvoy::client
