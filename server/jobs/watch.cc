// JobManager: watching a job.
#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_state.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {
namespace {

constexpr int kEventsPerRead = 100;
constexpr auto kLookAround = std::chrono::milliseconds(250);  // how often a watcher checks whether it is still wanted

enum class Sent { kAll, kEnded, kRefused };

// Sends the events kept after `sequence` and moves it on.
absl::StatusOr<Sent> SendKept(Store& store, const std::string& job_id, uint64_t& sequence,
                              const std::function<bool(const v1::JobEvent&)>& send) {
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<v1::JobEvent> events, store.GetEvents(job_id, sequence, kEventsPerRead));
    for (const v1::JobEvent& event : events) {
      if (!send(event)) return Sent::kRefused;
      sequence = event.sequence();
      if (event.has_ended()) return Sent::kEnded;
    }
    if (events.size() < kEventsPerRead) return Sent::kAll;
  }
}

}  // namespace

absl::Status JobManager::Watch(const std::string& owner, const std::string& job_id, uint64_t after_sequence,
                               const std::function<bool(const v1::JobEvent&)>& send,
                               const std::function<bool()>& gone) {
  ASSIGN_OR_RETURN(const JobRecord record, FindStored(owner, job_id));
  // Who has seen the end already is told again, rather than nothing; nobody has seen what is still to come.
  uint64_t sequence = std::min(after_sequence, record.job.last_sequence() - (IsEnd(record.state) ? 1U : 0U));
  std::string last_progress;
  while (true) {
    // Seen before the store is read, so that what comes in between is not slept through.
    uint64_t version = 0;
    const uint64_t workers = capabilities_.version();
    const std::shared_ptr<LiveJob> job = FindLive(job_id);
    v1::JobEvent progress;
    if (job != nullptr) {
      std::lock_guard lock(mutex_);
      // Before anything is sent: who attaches again must not take a server that is stopping for one that is back.
      if (stopped_) {
        return MakeError({.reason = v1::SHUTTING_DOWN, .remedy = "Attach again in a moment."},
                         "the server is stopping");
      }
      version = job->version();
      *progress.mutable_progress() = ProgressOf(*job);
    }
    ASSIGN_OR_RETURN(const Sent sent, SendKept(store_, job_id, sequence, send));
    if (sent != Sent::kAll || job == nullptr) return absl::OkStatus();
    if (std::string bytes = progress.SerializeAsString(); bytes != last_progress) {
      last_progress = std::move(bytes);
      progress.set_sequence(sequence);
      *progress.mutable_time() = ToTimestamp(clock_.Wall());
      if (!send(progress)) return absl::OkStatus();
    }
    std::unique_lock lock(mutex_);
    const auto news = [&] { return stopped_ || job->version() != version || capabilities_.version() != workers; };
    while (!news()) {
      lock.unlock();
      if (gone()) return absl::CancelledError("the watcher has left");
      lock.lock();
      if (news()) break;
      changed_.wait_for(lock, kLookAround);
    }
  }
}

void JobManager::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

}  // namespace deconvoy::server
