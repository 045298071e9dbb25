// A worker's life with its server: it says what it is and does, takes tasks, keeps their leases, and brings results.
//
// It holds up to three tasks: one that waits and is read ahead, one that is computed, one that is delivered; and where
// two may be executed at once, one more that is loaded or unloaded beside the one that is computed. One thread talks
// (Synchronize at least twice a second while busy, long polls while idle), and one works in each stage. While the
// server is away the talking thread tries again with backoff, for as long as the process lives, and the tasks go on:
// when the server is back it says which of them it still wants. A draining worker gives back what it has not begun, and
// waits for the server only with a task at hand, and not for long.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/server_access.h"
#include "worker/executor/task_executor.h"
#include "worker/session/log_excerpt.h"
#include "worker/session/server_link.h"
#include "worker/session/stop_signal.h"
#include "worker/session/task_line.h"

namespace deconvoy::worker {

struct SessionOptions {
  std::string server;                              // address
  std::filesystem::path credential_file;           // holds the worker credential; empty: the token is shown
  ServerAccess access;                             // token and TLS
  std::string worker;                              // `workers/{id}`, unique for the life of this process
  std::filesystem::path spool;                     // of the server, whose nonce proves that it is seen; empty: none
  std::chrono::milliseconds busy_interval{400};    // between two calls while busy, at most
  std::chrono::milliseconds busy_timeout{5'000};   // of one call while busy
  std::chrono::milliseconds idle_timeout{90'000};  // of one long poll
  std::chrono::milliseconds first_backoff{100};
  std::chrono::milliseconds last_backoff{5'000};
  std::chrono::milliseconds farewell{10'000};  // how long a draining worker keeps its task without an answer
  int at_once = 1;                             // tasks that the executor takes at once
};

class Session {
 public:
  // `registration` is without the spool's nonce, which is read whenever the worker introduces itself: a server that
  // starts again makes a new one. `executor` and `log` must outlive the session. Tasks are executed on threads of the
  // session; what they take of memory together stays within the registration's budget (0: without limit).
  Session(SessionOptions options, v1::WorkerRegistration registration, TaskExecutor& executor, const LogExcerpt& log);
  ~Session();

  // Serves until it has drained or left: OK. Errors, when the server will never take this worker: WORKER_REFUSED,
  // INCOMPATIBLE_VERSION, UNAUTHENTICATED_WORKER (also when the server has come back with another credential). Call
  // once.
  absl::Status Run();

  // Takes nothing more, gives back what it has not begun, and ends when the rest is delivered. Thread safe.
  void Drain();
  // Ends at once; what it holds is given up. Thread safe.
  void Leave();

 private:
  absl::Status Talk(ServerLink& link);
  absl::StatusOr<v1::SynchronizeResponse> Call(ServerLink& link, const v1::SynchronizeRequest& request,
                                               bool wait_for_server);
  v1::WorkerRegistration Introduction() const;
  v1::SynchronizeRequest MakeRequest();
  void Absorb(ServerLink& link, const v1::SynchronizeRequest& request, const v1::SynchronizeResponse& response);
  bool MayWaitForServer(std::chrono::steady_clock::time_point last_answer);
  void WaitForNext(std::chrono::milliseconds server_allows);

  // Constant.
  const SessionOptions options_;
  const v1::WorkerRegistration registration_;
  TaskExecutor& executor_;
  const LogExcerpt& log_;

  // Of the talking thread.
  bool introduce_ = true;  // the next call carries the registration
  bool drained_ = false;   // the server gives it nothing for now

  // With their own synchronisation.
  StopSignal leaving_;
  StopSignal polling_;  // interrupts a long poll
  TaskLine line_;
};

}  // namespace deconvoy::worker
