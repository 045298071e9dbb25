#include "server/schedule/input_check.h"

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

// Compared while the caller waits: some 20 ms.
constexpr int64_t kAtOnceBytes = 32 << 20;
// Jobs remembered. When there are more, those that are found in order are forgotten, and checked again if need be.
constexpr size_t kMostJobs = 4096;

// What the bytes are like, not what kept them from being read for once.
bool IsFinal(const absl::Status& found) {
  return found.ok() || ReasonOf(found) == v1::CORRUPT_DATA;
}

}  // namespace

InputCheck::InputCheck(Store& store, VolumeStore& volumes, std::function<void()> wake)
    : store_(store),
      volumes_(volumes),
      wake_(std::move(wake)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

InputCheck::~InputCheck() {
  Stop();
}

void InputCheck::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

std::optional<absl::Status> InputCheck::Ask(const std::string& job_id) {
  {
    std::lock_guard lock(mutex_);
    if (known_.size() > kMostJobs)
      std::erase_if(known_, [](const auto& job) { return job.second && job.second->ok(); });
    const auto [known, is_new] = known_.try_emplace(job_id);
    if (!is_new && !known->second) awaited_.insert(job_id);
    if (!is_new) {
      const std::optional<absl::Status> found = known->second;
      if (found && !IsFinal(*found)) known_.erase(known);
      return found;
    }
  }
  const absl::StatusOr<int64_t> bytes = BytesToRead(job_id);
  if (bytes.ok() && *bytes > kAtOnceBytes) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(job_id);
    changed_.notify_all();
    return std::nullopt;
  }
  const absl::Status found = bytes.ok() ? Check(job_id, {}) : bytes.status();
  bool awaited = false;
  {
    std::lock_guard lock(mutex_);
    if (IsFinal(found)) {
      known_[job_id] = found;
    } else {
      known_.erase(job_id);
    }
    awaited = awaited_.erase(job_id) > 0;
  }
  if (awaited) wake_();
  return found;
}

absl::StatusOr<int64_t> InputCheck::BytesToRead(const std::string& job_id) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.VolumesOfJob(job_id));
  int64_t bytes = 0;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const VolumeRecord volume, store_.GetVolume(id));
    if (volume.state == v1::COMPLETE || !volume.job_output) bytes += volume.committed_bytes;
  }
  return bytes;
}

// Results of the job itself are not complete, and so not looked at. Of a recording that goes on, what is there now is.
absl::Status InputCheck::Check(const std::string& job_id, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.VolumesOfJob(job_id));
  for (const std::string& id : ids) RETURN_IF_ERROR(volumes_.Verify(id, stop));
  return absl::OkStatus();
}

void InputCheck::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    const std::string job_id = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const absl::Status found = Check(job_id, stop);
    lock.lock();
    if (stop.stop_requested()) return;
    known_[job_id] = found;
    awaited_.erase(job_id);
    lock.unlock();
    wake_();
    lock.lock();
  }
}

}  // namespace deconvoy::server
