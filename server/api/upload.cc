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
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(error_);
  RETURN_IF_ERROR(writer_.Add(chunk));
  last_added_ = steady_clock::now();
  if (waiting_chunks_++ == 0) first_added_ = last_added_;
  changed_.notify_one();
  return absl::OkStatus();
}

absl::Status Upload::Finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    changed_.notify_one();
  }
  if (committer_.joinable()) committer_.join();
  return error_;
}

bool Upload::GroupIsDue() const {
  if (finishing_ || writer_.uncommitted_bytes() >= rules_.bytes) return true;
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
    waiting_chunks_ = 0;
    const absl::StatusOr<int64_t> durable = writer_.Commit();
    error_ = durable.status();
    durable_chunks = durable.value_or(durable_chunks);
    lock.unlock();
    acknowledge_(durable_chunks);
    if (!durable.ok()) return;
    lock.lock();
  }
}

}  // namespace deconvoy::server
