#include "server/spool/aligned_buffers.h"

#include <new>

#include "server/spool/file_system.h"

namespace deconvoy::server {

void AlignedBuffers::Taken::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory, std::align_val_t{kDirectBytes});
}

AlignedBuffers::Taken::~Taken() {
  if (owner_ == nullptr) return;
  const std::lock_guard lock(owner_->mutex_);
  owner_->free_.push_back(std::move(memory_));
  owner_->freed_.notify_one();
}

AlignedBuffers::Taken AlignedBuffers::Take() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [this] { return left_ > 0 || !free_.empty(); });
  if (free_.empty()) {
    --left_;
    return {*this, Taken::Memory(static_cast<std::byte*>(::operator new[](bytes_, std::align_val_t{kDirectBytes})))};
  }
  Taken::Memory memory = std::move(free_.back());
  free_.pop_back();
  return {*this, std::move(memory)};
}

}  // namespace deconvoy::server
