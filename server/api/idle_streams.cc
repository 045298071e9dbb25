#include "server/api/idle_streams.h"

#include <utility>

namespace deconvoy::server {

IdleStreams::IdleStreams(std::chrono::milliseconds allowed, const Clock& clock, std::chrono::milliseconds tick)
    : allowed_(allowed), clock_(clock) {
  if (allowed_.count() == 0 || tick.count() == 0) return;
  ticker_ = std::thread([this, tick] {
    std::unique_lock lock(mutex_);
    while (!stopping_.wait_for(lock, tick, [this] { return stopped_; })) {
      lock.unlock();
      Tick();
      lock.lock();
    }
  });
}

IdleStreams::~IdleStreams() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void IdleStreams::Tick() {
  if (allowed_.count() == 0) return;
  const int64_t oldest = Now() - allowed_.count();
  std::lock_guard lock(mutex_);
  for (Watched* stream : streams_) {
    if (stream->last_ < oldest && !stream->ended_.exchange(true)) stream->cancel_();
  }
}

int64_t IdleStreams::Now() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Steady().time_since_epoch()).count();
}

IdleStreams::Watched::Watched(IdleStreams& streams, std::function<void()> cancel)
    : streams_(streams), cancel_(std::move(cancel)), last_(streams.Now()) {
  std::lock_guard lock(streams_.mutex_);
  place_ = streams_.streams_.insert(streams_.streams_.end(), this);
}

IdleStreams::Watched::~Watched() {
  std::lock_guard lock(streams_.mutex_);
  streams_.streams_.erase(place_);
}

}  // namespace deconvoy::server
