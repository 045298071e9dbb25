#include "worker/session/task_line.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "proto/contract/error.h"
#include "worker/executor/crash_point.h"

namespace deconvoy::worker {
namespace {

// Whether a worker can hold all of this together. What a task needs may be the largest number there is.
bool Fit(int64_t budget_bytes, const std::vector<int64_t>& parts) {
  for (const int64_t part : parts) {
    if (part > budget_bytes) return false;
    budget_bytes -= part;
  }
  return true;
}

}  // namespace

// REQUIRES: mutex_ is held. What has changed is said soon, and every stage looks whether it can go on.
void TaskLine::Changed() {
  ++news_;
  if (waiting_ != nullptr && !executing_.empty() && delivering_ != nullptr) CrashPoint("worker-three-tasks");
  changed_.notify_all();
}

void TaskLine::Add(std::shared_ptr<Work> work) {
  const std::lock_guard lock(mutex_);
  if (draining_) {
    ReturnUnbegun(work->held, "the worker is ending");
  } else if (waiting_ != nullptr) {
    ReturnUnbegun(work->held, "the worker has no room for another task");
  } else {
    waiting_ = std::move(work);
    reading_ahead_ = false;
  }
  Changed();
}

void TaskLine::ReturnUnbegun(HeldTask& held, const char* why) {
  held.stop().Stop();
  v1::TaskStatus status = held.Status();
  *status.mutable_error() = ToStored(MakeError({.reason = v1::SHUTTING_DOWN}, why));
  status.set_retry_elsewhere(true);
  given_up_.push_back(std::move(status));
}

// Of those that have begun, the task that computes comes last, so that it is the one whose progress is shown.
void TaskLine::Describe(v1::SynchronizeRequest& request) {
  const std::lock_guard lock(mutex_);
  news_told_ = news_;
  for (const v1::TaskStatus& status : given_up_) *request.add_tasks() = status;
  for (const std::shared_ptr<Work>& work : Held()) *request.add_tasks() = work->held.Status();
  request.set_free_slots(waiting_ == nullptr && !draining_ ? 1 : 0);
  request.set_draining(draining_);
}

void TaskLine::Heard(const v1::SynchronizeRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto reported = std::count_if(request.tasks().begin(), request.tasks().end(),
                                      [](const v1::TaskStatus& status) { return status.has_error(); });
  given_up_.erase(given_up_.begin(), given_up_.begin() + reported);
}

void TaskLine::Cancel(const std::string& task, uint64_t token) {
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<Work>& work : Held()) {
    if (work->held.task().name() != task || work->held.task().token() != token) continue;
    if (!work->held.stop().stopped()) spdlog::info("{}: stopping, the server does not want it any more", task);
    work->held.stop().Stop();
    if (work == waiting_) waiting_.reset();
    Changed();
  }
}

void TaskLine::Drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  if (waiting_ != nullptr) {
    ReturnUnbegun(waiting_->held, "the worker is ending");
    waiting_.reset();
  }
  Changed();
}

void TaskLine::End() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  for (const std::shared_ptr<Work>& work : Held()) work->held.stop().Stop();
  waiting_.reset();
  executing_.clear();
  delivering_.reset();
  changed_.notify_all();
}

bool TaskLine::draining() {
  const std::lock_guard lock(mutex_);
  return draining_;
}

bool TaskLine::holds_any() {
  const std::lock_guard lock(mutex_);
  return !Held().empty();
}

bool TaskLine::IsOver(const v1::SynchronizeRequest& last) {
  const std::lock_guard lock(mutex_);
  return draining_ && last.draining() && last.tasks().empty() && Held().empty() && given_up_.empty();
}

void TaskLine::WaitForNews(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, most, [this] { return news_ != news_told_; });
}

// --- the stages ---

std::vector<std::shared_ptr<Work>> TaskLine::Held() const {
  std::vector<std::shared_ptr<Work>> held = executing_;
  if (delivering_ != nullptr) held.insert(held.begin(), delivering_);
  if (waiting_ != nullptr) held.push_back(waiting_);
  return held;
}

// Tiles that are executed at once lie in a device's memory, and what is held beside them in the host's.
bool TaskLine::Fits(std::vector<int64_t> executed, const std::vector<int64_t>& held) const {
  if (at_once_ > 1) return Fit(budget_bytes_, executed) && Fit(budget_bytes_, held);
  executed.insert(executed.end(), held.begin(), held.end());
  return Fit(budget_bytes_, executed);
}

std::vector<int64_t> TaskLine::Executed() const {
  std::vector<int64_t> parts;
  for (const std::shared_ptr<Work>& work : executing_) parts.push_back(work->footprint.computing);
  return parts;
}

int64_t TaskLine::Delivering() const {
  return delivering_ == nullptr ? 0 : delivering_->footprint.delivering;
}

// What is executed may still hold its own staged input, and of tiles on a device their results come beside it.
std::vector<int64_t> TaskLine::HeldBesideExecuted() const {
  std::vector<int64_t> held = {Delivering()};
  for (const std::shared_ptr<Work>& work : executing_) {
    held.push_back(work->footprint.staged);
    if (at_once_ > 1) held.push_back(work->footprint.delivering);
  }
  return held;
}

bool TaskLine::MayReadAhead() const {
  const int64_t staged = waiting_->footprint.staged;
  std::vector<int64_t> held = HeldBesideExecuted();
  held.push_back(staged);
  return staged == 0 || (Fits({waiting_->footprint.computing}, {staged}) && Fits(Executed(), held));
}

bool TaskLine::MayBegin() const {
  const int64_t staged = reading_ahead_ ? waiting_->footprint.staged : 0, computing = waiting_->footprint.computing;
  if (executing_.empty()) return Delivering() == 0 || Fits({computing}, {staged, Delivering()});
  std::vector<int64_t> executed = Executed();
  executed.push_back(computing);
  std::vector<int64_t> held = HeldBesideExecuted();
  held.push_back(staged);
  return MayShare() && Fits(std::move(executed), held);
}

// Not while the one before it is loaded, which would then take as long as both.
bool TaskLine::MayShare() const {
  return executing_.size() < at_once_ && Shares(*waiting_) &&
         std::ranges::all_of(executing_, [this](const auto& work) { return work->loaded && Shares(*work); });
}

bool TaskLine::Shares(const Work& work) const {
  return at_once_ > 1 && work.footprint.beside &&
         work.footprint.computing <= budget_bytes_ / static_cast<int64_t>(at_once_);
}

void TaskLine::PassTurn() {
  const auto in = [](v1::TaskStage stage) {
    return [stage](const std::shared_ptr<Work>& work) { return work->held.stage() == stage; };
  };
  if (std::ranges::any_of(executing_, in(v1::COMPUTING))) return;
  const auto next = std::ranges::find_if(executing_, in(v1::STAGED));
  if (next == executing_.end()) return;
  (*next)->held.SetStage(v1::COMPUTING);
  Changed();
}

std::shared_ptr<Work> TaskLine::NextToReadAhead() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || (waiting_ != nullptr && !reading_ahead_ && MayReadAhead()); });
  if (over_) return nullptr;
  reading_ahead_ = true;
  waiting_->io.AnnounceReadAhead();
  return waiting_;
}

std::shared_ptr<Work> TaskLine::NextToCompute() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || (waiting_ != nullptr && MayBegin()); });
  if (over_) return nullptr;
  std::shared_ptr<Work> work = std::exchange(waiting_, nullptr);
  executing_.push_back(work);
  PassTurn();
  Changed();
  return work;
}

bool TaskLine::BeginComputing(const std::shared_ptr<Work>& work) {
  std::unique_lock lock(mutex_);
  work->loaded = true;
  if (work->held.stage() == v1::DELIVERING) work->held.SetStage(v1::STAGED);
  PassTurn();
  changed_.notify_all();  // another one may be begun
  changed_.wait(lock, [&] { return over_ || work->held.stop().stopped() || work->held.stage() == v1::COMPUTING; });
  return !over_ && !work->held.stop().stopped();
}

// Where a task is executed alone, bringing a result out is part of computing it.
void TaskLine::EndComputing(const std::shared_ptr<Work>& work) {
  const std::lock_guard lock(mutex_);
  if (Shares(*work)) LeaveTurn(*work);
}

void TaskLine::LeaveTurn(Work& work) {
  work.held.SetStage(v1::DELIVERING);
  PassTurn();
  Changed();
}

std::shared_ptr<Work> TaskLine::NextToDeliver() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || delivering_ != nullptr; });
  return over_ ? nullptr : delivering_;
}

void TaskLine::Computed(const std::shared_ptr<Work>& work) {
  std::unique_lock lock(mutex_);
  if (at_once_ > 1) LeaveTurn(*work);
  changed_.wait(lock, [&] { return over_ || work->held.stop().stopped() || delivering_ == nullptr; });
  if (over_ || work->held.stop().stopped()) return Forget(work);
  delivering_ = work;
  std::erase(executing_, work);
  LeaveTurn(*work);
}

void TaskLine::Forget(const std::shared_ptr<Work>& work) {
  if (waiting_ == work) waiting_.reset();
  if (delivering_ == work) delivering_.reset();
  std::erase(executing_, work);
  PassTurn();
  Changed();
}

void TaskLine::Remove(const std::shared_ptr<Work>& work) {
  const std::lock_guard lock(mutex_);
  Forget(work);
}

void TaskLine::GiveUp(const std::shared_ptr<Work>& work, v1::TaskStatus report) {
  const std::lock_guard lock(mutex_);
  given_up_.push_back(std::move(report));
  Forget(work);
}

}  // namespace deconvoy::worker
