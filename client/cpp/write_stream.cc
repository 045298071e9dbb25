#include "client/cpp/write_stream.h"

#include <utility>

namespace deconvoy::client {
namespace {

// Bytes sent but not yet durable: at most so many, and a chunk.
constexpr int64_t kWindowBytes = 16 << 20;

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
  {
    std::unique_lock lock(mutex_);
    acknowledged_.wait(lock, [this] { return broken_ || open_bytes_ < kWindowBytes; });
    if (broken_) return false;
    open_chunks_.push_back(static_cast<int64_t>(request.chunk().data().size()));
    open_bytes_ += open_chunks_.back();
  }
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
    for (; chunks_committed_ < response.chunks_committed() && !open_chunks_.empty(); ++chunks_committed_) {
      open_bytes_ -= open_chunks_.front();
      open_chunks_.pop_front();
    }
    committed_bytes_ = static_cast<int64_t>(response.committed_bytes());
    acknowledged_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  broken_ = true;
  acknowledged_.notify_all();
}

}  // namespace deconvoy::client
