#include "client/cpp/write_stream.h"

#include <algorithm>
#include <utility>

namespace deconvoy::client {
namespace {

// Chunks sent but not yet durable: at most this many.
constexpr uint64_t kWindowChunks = 32;

}  // namespace

WriteStream::WriteStream(Connection& connection, std::stop_token stop)
    : connection_(connection),
      cancel_(std::move(stop), [this] { context_.TryCancel(); }),
      stream_(connection.volumes().Write(&context_)),
      listener_([this] { Listen(); }) {}

WriteStream::~WriteStream() {
  context_.TryCancel();
  if (listener_.joinable()) listener_.join();
}

bool WriteStream::Send(const v1::WriteVolumeRequest& request) {
  std::unique_lock lock(mutex_);
  acknowledged_.wait(lock, [this] { return broken_ || sent_ - chunks_committed_ < kWindowChunks; });
  if (broken_) return false;
  lock.unlock();
  ++sent_;
  return stream_->Write(request);
}

absl::Status WriteStream::Close() {
  stream_->WritesDone();
  listener_.join();
  return connection_.ToStatus(stream_->Finish());
}

int64_t WriteStream::committed_bytes() const {
  const std::lock_guard lock(mutex_);
  return committed_bytes_;
}

void WriteStream::Listen() {
  v1::WriteVolumeResponse response;
  while (stream_->Read(&response)) {
    const std::lock_guard lock(mutex_);
    if (response.chunks_committed() <= chunks_committed_) broken_ = true;  // nothing more is taken
    chunks_committed_ = std::max(chunks_committed_, response.chunks_committed());
    committed_bytes_ = static_cast<int64_t>(response.committed_bytes());
    acknowledged_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  broken_ = true;
  acknowledged_.notify_all();
}

}  // namespace deconvoy::client
