#include "server/api/deconvolve_stream.h"

#include <chrono>
#include <utility>

namespace deconvoy::server {
namespace {

constexpr std::chrono::milliseconds kLastWrite{500};

}  // namespace

void DeconvolveStream::SetCancelListener(std::function<void()> listener) {
  bool gone = false;
  {
    const std::lock_guard lock(mutex_);
    gone = cancelled_;
    if (!gone) cancel_listener_ = std::move(listener);
  }
  if (gone) listener();
}

bool DeconvolveStream::Read(v1::DeconvolveRequest* message) {
  std::unique_lock lock(mutex_);
  if (closed_ || cancelled_) return false;
  read_ = Operation::kPending;
  StartRead(message);  // under the lock, so that it never comes after Close; what it starts ends on another thread
  return Await(lock, read_);
}

bool DeconvolveStream::Write(const v1::DeconvolveResponse& message) {
  std::unique_lock lock(mutex_);
  if (closed_ || cancelled_ || stopped_writing_) return false;
  write_ = Operation::kPending;
  StartWrite(&message);
  const auto over = [this] { return write_ != Operation::kPending; };
  changed_.wait(lock, [&] { return over() || stopped_writing_; });
  if (!changed_.wait_for(lock, kLastWrite, over)) {
    const std::function<void()> cancel = std::exchange(cancel_, nullptr);
    lock.unlock();
    cancel();
    lock.lock();
  }
  return Await(lock, write_);
}

void DeconvolveStream::StopWriting(std::function<void()> cancel) {
  const std::lock_guard lock(mutex_);
  stopped_writing_ = true;
  cancel_ = std::move(cancel);
  changed_.notify_all();
}

void DeconvolveStream::Close(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  Finish(status);
}

void DeconvolveStream::WaitDone() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
}

bool DeconvolveStream::cancelled() {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

void DeconvolveStream::Settle(Operation& operation, bool ok) {
  const std::lock_guard lock(mutex_);
  operation = ok ? Operation::kDone : Operation::kFailed;
  changed_.notify_all();
}

bool DeconvolveStream::Await(std::unique_lock<std::mutex>& lock, Operation& operation) {
  changed_.wait(lock, [&] { return operation != Operation::kPending; });
  return std::exchange(operation, Operation::kIdle) == Operation::kDone;
}

void DeconvolveStream::OnCancel() {
  std::function<void()> listener;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    listener = std::exchange(cancel_listener_, nullptr);
    changed_.notify_all();
  }
  if (listener) listener();
}

void DeconvolveStream::OnDone() {
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

}  // namespace deconvoy::server
