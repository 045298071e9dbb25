#include "worker/backends/cuda/arena.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/error.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr int64_t kPiece = 512;
constexpr int64_t kMost = int64_t{1} << 60;
constexpr double kMiB = 1048576;

}  // namespace

Block& Block::operator=(Block&& other) noexcept {
  std::swap(arena_, other.arena_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Block::~Block() {
  if (data_ != nullptr) arena_->GiveBack(data_, bytes_);
}

Arena::Arena(void* memory, int64_t bytes, std::string device)
    : memory_(static_cast<char*>(memory)), bytes_(bytes / kPiece * kPiece), device_(std::move(device)) {
  if (bytes_ > 0) free_[0] = bytes_;
}

absl::StatusOr<Block> Arena::Allocate(int64_t bytes) {
  if (bytes >= 0 && bytes <= kMost) {
    const int64_t size = (std::max<int64_t>(bytes, 1) + kPiece - 1) / kPiece * kPiece;
    const std::lock_guard lock(mutex_);
    for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
      const auto [offset, room] = *piece;
      if (room < size) continue;
      free_.erase(piece);
      if (room > size) free_[offset + size] = room - size;
      return Block(this, memory_ + offset, size);
    }
  }
  return MakeError({.reason = v1::OUT_OF_MEMORY,
                    .remedy = "use smaller tiles or give the worker more of the device's memory",
                    .metadata = {{"bytes", fmt::format("{}", bytes)}, {"device", device_}}},
                   fmt::format("{} has no {:.1f} MiB in one piece: {:.1f} of {:.1f} MiB are free", device_,
                               static_cast<double>(bytes) / kMiB, static_cast<double>(free_bytes()) / kMiB,
                               static_cast<double>(bytes_) / kMiB));
}

absl::StatusOr<Block> Arena::AllocateFloats(int64_t count) {
  return Allocate(count < kMost / 4 ? count * int64_t{sizeof(float)} : count);
}

int64_t Arena::free_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t total = 0;
  for (const auto& [offset, size] : free_) total += size;
  return total;
}

void Arena::GiveBack(void* data, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const int64_t offset = static_cast<char*>(data) - memory_;
  auto here = free_.emplace(offset, bytes).first;
  if (const auto next = std::next(here); next != free_.end() && offset + bytes == next->first) {
    here->second += next->second;
    free_.erase(next);
  }
  if (here == free_.begin()) return;
  if (const auto before = std::prev(here); before->first + before->second == offset) {
    before->second += here->second;
    free_.erase(here);
  }
}

}  // namespace deconvoy::worker::cuda
