#include "server/api/upload.h"

#include <algorithm>

#include "proto/contract/status_macros.h"

namespace deconvoy::server {

using std::chrono::steady_clock;

Upload::Upload(VolumeWriter& writer, Acknowledge acknowledge, const GroupRules& rules)
    : writer_(writer), acknowledge_(std::move(acknowledge)), rules_(rules), committer_([this] { CommitGroups(); }) {}

Upload::~Upload() {
  (void)Finish();
}

absl::Status Upload::Add(const v1::Chunk& chunk) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !error_.ok() || writer_.uncommitted_bytes() < rules_.most_bytes; });
    RETURN_IF_ERROR(error_);
  }
  RETURN_IF_ERROR(writer_.Add(chunk));
  const std::lock_guard lock(mutex_);
  last_added_ = steady_clock::now();
  if (waiting_chunks_++ == 0) first_added_ = last_added_;
  waiting_bytes_ += static_cast<int64_t>(chunk.data().size());
  // In between the committer wakes by the clock.
  if (waiting_chunks_ == 1 || waiting_bytes_ >= rules_.bytes) changed_.notify_all();
  return absl::OkStatus();
}

absl::Status Upload::Finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    changed_.notify_all();
  }
  if (committer_.joinable()) committer_.join();
  return error_;
}

bool Upload::GroupIsDue() const {
  if (finishing_ || waiting_bytes_ >= rules_.bytes) return true;
  const auto now = steady_clock::now();
  return now - last_added_ >= rules_.pause || now - first_added_ >= rules_.oldest;
}

void Upload::CommitGroups() {
  int64_t durable_chunks = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return finishing_ || waiting_chunks_ > 0; });
    if (waiting_chunks_ == 0) return;
    while (!GroupIsDue()) {
      changed_.wait_until(lock, std::min(last_added_ + rules_.pause, first_added_ + rules_.oldest));
    }
    waiting_chunks_ = waiting_bytes_ = 0;
    lock.unlock();
    const absl::StatusOr<int64_t> durable = writer_.Commit();
    // A commit may take chunks along that are told as waiting only after it: then the next one finds nothing.
    const bool news = !durable.ok() || *durable != durable_chunks;
    durable_chunks = durable.value_or(durable_chunks);
    lock.lock();
    error_ = durable.status();
    changed_.notify_all();
    lock.unlock();
    if (news) acknowledge_(durable_chunks);
    if (!durable.ok()) return;
    lock.lock();
  }
}

}  // namespace deconvoy::server
