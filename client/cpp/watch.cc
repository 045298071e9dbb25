// Watching a job through broken connections.
#include <algorithm>
#include <optional>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

// Follows the events of one job. `Attach` is called until it has seen the end.
class Watcher {
 public:
  Watcher(Connection& connection, Retrier& retrier, const std::string& job, uint64_t after_sequence,
          const JobObserver& observer)
      : connection_(connection), retrier_(retrier), observer_(observer) {
    request_.set_job(job);
    request_.set_after_sequence(after_sequence);
  }

  const std::optional<v1::Job>& ended() const { return ended_; }

  // Reads one stream to its end.
  absl::Status Attach(const std::stop_token& stop) {
    grpc::ClientContext context;
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    const auto stream = connection_.jobs().Watch(&context, request_);
    v1::JobEvent event;
    while (stream->Read(&event)) Take(event);
    return connection_.ToStatus(stream->Finish());
  }

 private:
  void Take(const v1::JobEvent& event) {
    retrier_.Reset();
    const bool kept = !event.has_progress();
    if (kept && !event.has_ended() && event.sequence() <= request_.after_sequence()) return;
    request_.set_after_sequence(std::max(request_.after_sequence(), event.sequence()));
    if (event.has_ended()) ended_ = event.ended();
    if (observer_) observer_(event);
  }

  Connection& connection_;
  Retrier& retrier_;
  const JobObserver& observer_;
  v1::WatchJobRequest request_;
  std::optional<v1::Job> ended_;
};

}  // namespace

absl::StatusOr<v1::Job> Client::Watch(const std::string& job, uint64_t after_sequence, const JobObserver& observer,
                                      std::stop_token stop) const {
  Retrier retrier = connection_->MakeRetrier(stop);
  Watcher watcher(*connection_, retrier, job, after_sequence, observer);
  for (;;) {
    absl::Status status = watcher.Attach(stop);
    if (watcher.ended()) return *watcher.ended();
    if (status.ok()) status = absl::UnavailableError("the server stopped reporting on the job");
    RETURN_IF_ERROR(retrier.Pause(status));
  }
}

}  // namespace deconvoy::client
