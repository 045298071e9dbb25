// What every call has in common at the door: who calls, whether it is let in, the log line at its end, and the
// conversion of errors to gRPC.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>
#include <spdlog/common.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/contract/status_macros.h"
#include "server/api/hear.h"
#include "server/api/idle_streams.h"
#include "server/api/refusals.h"
#include "server/api/user_limits.h"
#include "server/auth/accounts.h"
#include "server/auth/caller.h"
#include "server/auth/worker_credential.h"

namespace deconvoy::server {

// A message came that is none of its kind.
absl::Status UnreadMessage();

// An error as it goes over the wire: the same code, the sentence with control characters escaped, the serialised
// ErrorInfo as details. Sentences and details that would not fit into HTTP/2 headers are shortened.
grpc::Status ToGrpc(const absl::Status& status);

// What a call's metadata may take together, each entry with 32 bytes more than its name and value.
inline constexpr int64_t kMetadataBytes = 16 * 1024;

// What all calls share. Thread safe. Must outlive the services.
class Door {
 public:
  // How long who says little, or never ends, keeps a connection. All above 0.
  struct Connections {
    std::chrono::milliseconds handshake = std::chrono::seconds(20);  // until it is made
    std::chrono::milliseconds silence = std::chrono::seconds(30);    // of a peer with open calls, until it is asked
    std::chrono::milliseconds answer = std::chrono::seconds(10);     // of a peer that is asked
    std::chrono::milliseconds age = std::chrono::hours(24);          // until it takes no new calls
    std::chrono::milliseconds grace = std::chrono::hours(7 * 24);    // after that, of the calls that are open
  };
  // What callers may do. Calls of workers that are let in keep leases alive, and are not counted.
  struct Limits {
    UserLimits::Options users = {};
    int64_t refused_per_second = 20;                                // calls of one address; see Refusals
    int64_t streams_per_connection = 100;                           // open at once; more wait for one to end
    std::chrono::milliseconds idle_stream = std::chrono::hours(1);  // on which nothing moves; 0: for ever
    Connections connections = {};
  };

  // The references must outlive the door.
  Door(const Limits& limits, WorkerCredential credential, Accounts& accounts, const Clock& clock)
      : credential_(std::move(credential)),
        accounts_(accounts),
        limits_(limits.users, clock),
        refusals_(limits.refused_per_second, clock),
        streams_(limits.idle_stream, clock) {}
  ~Door();

  // From now on nothing new is accepted (volumes, jobs); everything else goes on.
  void Close() { closing_ = true; }
  // OK until Close, then SHUTTING_DOWN.
  absl::Status CheckOpen() const;
  // Streams that users move voxels on, and calls whose message has not come yet.
  IdleStreams& streams() { return streams_; }

 private:
  friend class Call;

  const WorkerCredential credential_;
  Accounts& accounts_;
  UserLimits limits_;
  Refusals refusals_;
  IdleStreams streams_;
  std::atomic<bool> closing_ = false;
};

// Calls of one message, whose handlers begin before it has come: see Call::Answer.
template <typename Request, typename Response>
using Unary = grpc::ServerUnaryStreamer<Request, Response>;
template <typename Request, typename Response>
using Split = grpc::ServerSplitStreamer<Request, Response>;

// One call, from its handler's first to its last line. Used by one thread at a time.
class Call {
 public:
  enum From { kUser, kWorker };

  // `rpc` is the call's name in the table of permissions (`Volumes.Get`), `context` gRPC's ServerContext or
  // CallbackServerContext, which must outlive the call.
  template <typename Context>
  Call(Door& door, From from, const char* rpc, const Context& context)
      : Call(door, from, rpc, context, [&context] { context.TryCancel(); }) {}
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The user who calls. Known within `body`.
  const std::string& owner() const { return caller_.owner; }
  const Caller& caller() const { return caller_; }
  // Whether nobody waits for the answer any more.
  bool gone() const { return context_.IsCancelled(); }
  // Names what the call turned out to be about, of which logs show the beginning: the caller may have sent anything.
  void About(std::string_view subject);
  // Names the call in logs as `rpc`, which it turned out to stand for.
  void CountAs(const char* rpc) { rpc_ = rpc; }

  // Runs `body` (returning absl::Status) if the call is let in, logs the outcome and makes it the call's status.
  template <typename Body>
  grpc::Status Run(Body&& body) {
    if (const std::optional<grpc::Status> refusal = Refusal()) return *refusal;
    return Serve(std::forward<Body>(body));
  }

  // The two halves of Run, for a call that may go from one thread to another in between: nothing when it is let in,
  // else how it has ended; then the rest.
  std::optional<grpc::Status> Refusal();
  template <typename Body>
  grpc::Status Serve(Body&& body) {
    return End(body());
  }

  // The same for a call of one message, which is read once the call is let in: nobody else's takes memory. `body` gets
  // it, and returns an absl::StatusOr of the answer.
  template <typename Request, typename Response, typename Body>
  grpc::Status Answer(Unary<Request, Response>* stream, Body&& body) {
    return Run([&]() -> absl::Status {
      Request request;
      RETURN_IF_ERROR(HearOnly(*stream, request));
      const absl::StatusOr<Response> response = body(std::as_const(request));
      RETURN_IF_ERROR(response.status());
      stream->Write(*response, grpc::WriteOptions().set_last_message());  // goes with the status; tells nothing
      return absl::OkStatus();
    });
  }
  // The same for a body that writes its answers to the stream, and returns an absl::Status.
  template <typename Request, typename Response, typename Body>
  grpc::Status Stream(Split<Request, Response>* stream, Body&& body) {
    return Run([&]() -> absl::Status {
      Request request;
      RETURN_IF_ERROR(HearOnly(*stream, request));
      return body(std::as_const(request));
    });
  }

 private:
  // `cancel` ends the call for its caller.
  Call(Door& door, From from, const char* rpc, const grpc::ServerContextBase& context, std::function<void()> cancel);

  // The call's one message.
  template <typename Stream, typename Request>
  absl::Status HearOnly(Stream& stream, Request& request) {
    const IdleStreams::Watched watched(door_.streams(), cancel_);
    const Heard heard = Hear(stream, request);
    return heard == Heard::kMessage ? absl::OkStatus() : NoMessage(heard, watched.ended());
  }
  absl::Status NoMessage(Heard heard, bool idle) const;
  absl::Status Admit();
  absl::StatusOr<Caller> Identify() const;
  grpc::Status Refuse(const absl::Status& status) const;
  void AuditEnd(const std::string& outcome) const;
  spdlog::level::level_enum LevelOf(const absl::Status& status) const;
  // Logs how the call has ended; `left_out` calls before it that were refused have no lines.
  grpc::Status End(const absl::Status& status, int64_t left_out = 0) const;

  Door& door_;
  const From from_;
  const char* rpc_;
  const grpc::ServerContextBase& context_;
  const std::function<void()> cancel_;
  const std::chrono::steady_clock::time_point start_;
  Caller caller_;          // once known
  bool counted_ = false;   // among the calls of its user
  bool admitted_ = false;  // who calls is known, and may
  std::string subject_;    // shortened
};

}  // namespace deconvoy::server
