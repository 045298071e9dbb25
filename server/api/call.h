// What every call has in common at the door: who calls, whether it is let in, the log line at its end, and the
// conversion of errors to gRPC.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <spdlog/common.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/api/idle_streams.h"
#include "server/api/refusals.h"
#include "server/api/user_limits.h"
#include "server/auth/accounts.h"
#include "server/auth/caller.h"
#include "server/auth/worker_credential.h"

namespace deconvoy::server {

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
  // Streams that users move voxels on.
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

// One call, from its handler's first to its last line. Used by one thread at a time.
class Call {
 public:
  enum class From { kUser, kWorker };

  // `rpc` is the call's name in the table of permissions (`Volumes.Get`), `subject` what it is about, of which logs
  // show the beginning: the caller is not known yet, and may have sent anything.
  Call(Door& door, From from, const char* rpc, const grpc::ServerContextBase& context, std::string_view subject = {});
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The user who calls. Known within `body`.
  const std::string& owner() const { return caller_.owner; }
  const Caller& caller() const { return caller_; }
  // Whether nobody waits for the answer any more.
  bool gone() const { return context_.IsCancelled(); }
  // Names what the call turned out to be about.
  void About(std::string_view subject);

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

  // The same for a body that returns an absl::StatusOr of the answer.
  template <typename Response, typename Body>
  grpc::Status Answer(Response* response, Body&& body) {
    return Run([&]() -> absl::Status {
      auto result = body();
      if (!result.ok()) return std::move(result).status();
      *response = *std::move(result);
      return absl::OkStatus();
    });
  }

 private:
  absl::Status Admit();
  absl::StatusOr<Caller> Identify() const;
  grpc::Status Refuse(const absl::Status& status) const;
  void AuditEnd(const std::string& outcome) const;
  spdlog::level::level_enum LevelOf(const absl::Status& status) const;
  // Logs how the call has ended; `left_out` calls before it that were refused have no lines.
  grpc::Status End(const absl::Status& status, int64_t left_out = 0) const;

  Door& door_;
  const From from_;
  const char* const rpc_;
  const grpc::ServerContextBase& context_;
  const std::chrono::steady_clock::time_point start_;
  Caller caller_;          // once known
  bool counted_ = false;   // among the calls of its user
  bool admitted_ = false;  // who calls is known, and may
  std::string subject_;    // shortened
};

}  // namespace deconvoy::server
