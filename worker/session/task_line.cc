#include "worker/session/task_line.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "proto/contract/error.h"
#include "worker/executor/crash_point.h"

namespace deconvoy::worker {
namespace {

// Whether a worker can hold all of this together. What a task needs may be the largest number there is.
bool Fit(int64_t budget_bytes, std::initializer_list<int64_t> parts) {
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
  if (waiting_ != nullptr && computing_ != nullptr && delivering_ != nullptr) CrashPoint("worker-three-tasks");
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

// The task being computed comes last but one, so that it is the one whose progress is shown.
void TaskLine::Describe(v1::SynchronizeRequest& request) {
  const std::lock_guard lock(mutex_);
  news_told_ = news_;
  for (const v1::TaskStatus& status : given_up_) *request.add_tasks() = status;
  for (const std::shared_ptr<Work>& work : {delivering_, computing_, waiting_}) {
    if (work != nullptr) *request.add_tasks() = work->held.Status();
  }
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
  for (const std::shared_ptr<Work>& work : {delivering_, computing_, waiting_}) {
    if (work == nullptr || work->held.task().name() != task || work->held.task().token() != token) continue;
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
  for (std::shared_ptr<Work>* stage : {&waiting_, &computing_, &delivering_}) {
    if (*stage != nullptr) (*stage)->held.stop().Stop();
    stage->reset();
  }
  changed_.notify_all();
}

bool TaskLine::draining() {
  const std::lock_guard lock(mutex_);
  return draining_;
}

bool TaskLine::holds_any() {
  const std::lock_guard lock(mutex_);
  return waiting_ != nullptr || computing_ != nullptr || delivering_ != nullptr;
}

bool TaskLine::IsOver(const v1::SynchronizeRequest& last) {
  const std::lock_guard lock(mutex_);
  return draining_ && last.draining() && last.tasks().empty() && waiting_ == nullptr && computing_ == nullptr &&
         delivering_ == nullptr && given_up_.empty();
}

void TaskLine::WaitForNews(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, most, [this] { return news_ != news_told_; });
}

// --- the stages ---

bool TaskLine::MayReadAhead() const {
  const int64_t staged = waiting_->footprint.staged;
  // What is computed may still hold its own staged input.
  const Footprint computing = computing_ == nullptr ? Footprint() : computing_->footprint;
  const int64_t delivering = delivering_ == nullptr ? 0 : delivering_->footprint.delivering;
  return staged == 0 || (Fit(budget_bytes_, {staged, waiting_->footprint.computing}) &&
                         Fit(budget_bytes_, {staged, computing.computing, computing.staged, delivering}));
}

bool TaskLine::MayBegin() const {
  if (delivering_ == nullptr || delivering_->footprint.delivering == 0) return true;
  const int64_t staged = reading_ahead_ ? waiting_->footprint.staged : 0;
  return Fit(budget_bytes_, {staged, waiting_->footprint.computing, delivering_->footprint.delivering});
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
  changed_.wait(lock, [this] { return over_ || (waiting_ != nullptr && computing_ == nullptr && MayBegin()); });
  if (over_) return nullptr;
  computing_ = std::exchange(waiting_, nullptr);
  computing_->held.SetStage(v1::COMPUTING);
  Changed();
  return computing_;
}

std::shared_ptr<Work> TaskLine::NextToDeliver() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || delivering_ != nullptr; });
  return over_ ? nullptr : delivering_;
}

void TaskLine::Computed(const std::shared_ptr<Work>& work) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return over_ || work->held.stop().stopped() || delivering_ == nullptr; });
  if (over_ || work->held.stop().stopped()) return Forget(work);
  delivering_ = work;
  computing_.reset();
  work->held.SetStage(v1::DELIVERING);
  Changed();
}

void TaskLine::Forget(const std::shared_ptr<Work>& work) {
  for (std::shared_ptr<Work>* stage : {&waiting_, &computing_, &delivering_}) {
    if (*stage == work) stage->reset();
  }
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
