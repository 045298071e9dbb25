#include "server/schedule/input_check.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

// How long a check serves jobs that are asked for later: bits also rot where nobody writes.
constexpr auto kServes = std::chrono::hours(1);

// What the bytes are like, not what kept them from being read for once.
bool IsFinal(const absl::Status& found) {
  return found.ok() || ReasonOf(found) == v1::CORRUPT_DATA;
}

}  // namespace

InputCheck::InputCheck(const Options& options, Store& store, VolumeStore& volumes, Clock& clock,
                       Surroundings surroundings)
    : options_(options),
      store_(store),
      volumes_(volumes),
      clock_(clock),
      surroundings_(std::move(surroundings)),
      forget_at_(options.kept_jobs),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

InputCheck::~InputCheck() {
  Stop();
}

void InputCheck::Stop() {
  thread_.request_stop();
  {
    std::lock_guard lock(mutex_);
    break_off_.request_stop();
  }
  if (thread_.joinable()) thread_.join();
}

std::optional<absl::Status> InputCheck::Ask(const std::string& job_id) {
  ForgetEnded();
  {
    std::lock_guard lock(mutex_);
    const auto [job, is_new] = jobs_.try_emplace(job_id);
    if (!is_new) {
      const std::optional<absl::Status> found = job->second.found;
      if (!found) job->second.awaited = true;
      if (found && !IsFinal(*found)) jobs_.erase(job);
      return found;
    }
  }
  absl::StatusOr<std::vector<Input>> inputs = InputsOf(job_id);
  if (!inputs.ok()) return Answer(job_id, inputs.status());
  absl::Status known;
  {
    std::lock_guard lock(mutex_);
    known = TakeKnown(*inputs);
    int64_t bytes = 0;
    ++steps_;
    for (Input& input : *inputs) {
      input.asked = steps_;
      bytes += input.stamp.committed_bytes;
    }
    if (known.ok() && !inputs->empty() && bytes > options_.at_once_bytes) {
      Queue(job_id, *std::move(inputs));
      return std::nullopt;
    }
  }
  return Answer(job_id, known.ok() ? CheckNow(*inputs) : known);
}

absl::Status InputCheck::Answer(const std::string& job_id, const absl::Status& found) {
  bool awaited = false;
  {
    std::lock_guard lock(mutex_);
    const auto job = jobs_.find(job_id);
    awaited = std::exchange(job->second.awaited, false);
    if (IsFinal(found)) {
      job->second.found = found;
    } else {
      jobs_.erase(job);
    }
  }
  if (awaited) surroundings_.wake();
  return found;
}

// Results of the job itself are not complete, and so not looked at. Of a recording that goes on, what is there now is.
absl::StatusOr<std::vector<InputCheck::Input>> InputCheck::InputsOf(const std::string& job_id) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.VolumesOfJob(job_id));
  std::vector<Input> inputs;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const VolumeRecord volume, store_.GetVolume(id));
    if (volume.state != v1::COMPLETE && volume.job_output) continue;
    Input input{.id = id, .stamp = {.state = volume.state, .committed_bytes = volume.committed_bytes}};
    std::error_code error;  // which the check will come upon
    input.stamp.written = std::filesystem::last_write_time(volumes_.PathOf(id), error);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

// REQUIRES: `asked` of each was taken before, and nothing of it has been read since.
absl::Status InputCheck::CheckNow(const std::vector<Input>& inputs) {
  for (const Input& input : inputs) {
    const absl::Status found = volumes_.Verify(input.id, {});
    if (!IsFinal(found)) return found;
    bool told = false;
    {
      std::lock_guard lock(mutex_);
      const Check check{.stamp = input.stamp, .begun = input.asked, .found = found, .touched = clock_.Steady()};
      checks_[input.id] = check;
      told = Tell(input.id, check, found);
    }
    if (told) surroundings_.wake();
    RETURN_IF_ERROR(found);
  }
  return absl::OkStatus();
}

// --- What is known ---

bool InputCheck::Covers(const Check& check, const Input& input) {
  return check.begun > input.asked || check.stamp == input.stamp;
}

bool InputCheck::IsRecent(const Check& check) const {
  return clock_.Steady() - check.touched < kServes;
}

absl::Status InputCheck::TakeKnown(std::vector<Input>& inputs) const {
  absl::Status error;
  std::erase_if(inputs, [&](const Input& input) {
    const auto check = checks_.find(input.id);
    if (check == checks_.end() || !check->second.found || check->second.stamp != input.stamp) return false;
    if (!IsRecent(check->second)) return false;
    error.Update(*check->second.found);
    return true;
  });
  return error;
}

void InputCheck::ForgetEnded() {
  std::vector<std::string> ids;
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() < forget_at_) return;
    for (const auto& [id, job] : jobs_) {
      if (job.found) ids.push_back(id);
    }
  }
  std::erase_if(ids, [this](const std::string& id) { return !surroundings_.has_ended(id); });
  std::lock_guard lock(mutex_);
  for (const std::string& id : ids) {
    const auto job = jobs_.find(id);
    if (job != jobs_.end() && job->second.found) jobs_.erase(job);
  }
  forget_at_ = std::max(options_.kept_jobs, 2 * jobs_.size());
  std::set<std::string> open;
  for (const std::string& job : queued_) {
    for (const Input& input : jobs_.at(job).open) open.insert(input.id);
  }
  std::erase_if(checks_, [&](const auto& check) { return !IsRecent(check.second) && !open.contains(check.first); });
}

// --- The thread's ---

void InputCheck::Queue(const std::string& job_id, std::vector<Input> inputs) {
  jobs_[job_id].open = std::move(inputs);
  queued_.insert(job_id);
  ++queueings_;
  break_off_.request_stop();
  changed_.notify_all();
}

void InputCheck::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !queued_.empty(); })) {
    const uint64_t queueings = queueings_;
    lock.unlock();
    const std::vector<std::string> order = surroundings_.in_order();
    lock.lock();
    if (stop.stop_requested()) return;
    if (queueings != queueings_) continue;  // one of them may come first
    bool wakes = Drop(order);
    const auto first = std::ranges::find_if(order, [this](const std::string& id) { return queued_.contains(id); });
    if (first != order.end()) wakes = GoOn(*first, lock) || wakes;
    if (stop.stop_requested()) return;
    if (!wakes) continue;
    lock.unlock();
    surroundings_.wake();
    lock.lock();
  }
}

bool InputCheck::GoOn(const std::string& job_id, std::unique_lock<std::mutex>& lock) {
  const Input input = jobs_.at(job_id).open.front();
  Check check = checks_[input.id];
  if (check.found || !Covers(check, input) || !IsRecent(check)) check = {.stamp = input.stamp, .begun = ++steps_};
  checks_[input.id] = check;
  break_off_ = std::stop_source();
  const std::stop_token stop = break_off_.get_token();
  lock.unlock();
  const absl::Status found = volumes_.VerifyFrom(input.id, check.place, stop);
  lock.lock();
  Check& newest = checks_[input.id];
  if (newest.begun != check.begun) return false;  // somebody has checked it at once meanwhile
  check.touched = clock_.Steady();
  newest = check;
  if (absl::IsCancelled(found) && stop.stop_requested()) return false;
  if (IsFinal(found)) {
    newest.found = found;
  } else {
    checks_.erase(input.id);
  }
  return Tell(input.id, check, found);
}

bool InputCheck::Tell(const std::string& volume_id, const Check& check, const absl::Status& found) {
  bool told = false;
  for (auto queued = queued_.begin(); queued != queued_.end();) {
    Job& job = jobs_.at(*queued);
    const auto waits =
        std::erase_if(job.open, [&](const Input& input) { return input.id == volume_id && Covers(check, input); });
    if (waits == 0 || (found.ok() && !job.open.empty())) {
      ++queued;
      continue;
    }
    told = true;
    job.found = found;
    job.open.clear();
    queued = queued_.erase(queued);
  }
  return told;
}

bool InputCheck::Drop(const std::vector<std::string>& order) {
  const std::set<std::string> waiting(order.begin(), order.end());
  return std::erase_if(queued_, [&](const std::string& id) {
           if (waiting.contains(id)) return false;
           jobs_.erase(id);
           return true;
         }) > 0;
}

}  // namespace deconvoy::server
