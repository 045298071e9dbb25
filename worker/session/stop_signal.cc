#include "worker/session/stop_signal.h"

namespace deconvoy::worker {

void StopSignal::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (grpc::ClientContext* call : calls_) call->TryCancel();
  changed_.notify_all();
}

bool StopSignal::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

bool StopSignal::WaitFor(std::chrono::milliseconds duration) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, duration, [this] { return stopped_; });
}

StopSignal::Guard::Guard(StopSignal& signal, grpc::ClientContext& call) : signal_(signal), call_(call) {
  const std::lock_guard lock(signal_.mutex_);
  signal_.calls_.push_back(&call);
  if (signal_.stopped_) call.TryCancel();
}

StopSignal::Guard::~Guard() {
  const std::lock_guard lock(signal_.mutex_);
  std::erase(signal_.calls_, &call_);
}

}  // namespace deconvoy::worker
