#include "worker/backends/cuda/arena.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/error.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr int64_t kPiece = 512;
constexpr int64_t kMost = int64_t{1} << 60;
constexpr double kMiB = 1048576;

int64_t WholePieces(int64_t bytes) {
  return (std::max<int64_t>(bytes, 1) + kPiece - 1) / kPiece * kPiece;
}

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
    : memory_(static_cast<char*>(memory)),
      source_(nullptr),
      bytes_(bytes / kPiece * kPiece),
      device_(std::move(device)) {
  if (bytes_ > 0) free_[0] = bytes_;
}

Arena::Arena(BlockSource* source, int64_t bytes, std::string device)
    : memory_(nullptr), source_(source), bytes_(bytes / kPiece * kPiece), device_(std::move(device)) {
  if (bytes_ > 0) free_[0] = bytes_;
}

std::optional<int64_t> Arena::Take(int64_t size, ArenaPart part) {
  const int64_t half = bytes_ / 2 / kPiece * kPiece;
  const int64_t begin = part == ArenaPart::kSecondHalf ? half : 0;
  const int64_t end = part == ArenaPart::kFirstHalf ? half : bytes_;
  for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
    const int64_t first = piece->first, last = first + piece->second;
    const int64_t at = std::max(first, begin);
    if (at + size > std::min(last, end)) continue;
    free_.erase(piece);
    if (at > first) free_[first] = at - first;
    if (last > at + size) free_[at + size] = last - (at + size);
    return at;
  }
  return std::nullopt;
}

absl::StatusOr<Block> Arena::Allocate(int64_t bytes, ArenaPart part) {
  if (bytes < 0 || bytes > kMost) return Lacks(bytes);
  const int64_t size = WholePieces(bytes);
  std::optional<int64_t> offset;
  {
    const std::lock_guard lock(mutex_);
    offset = Take(size, part);
  }
  if (!offset) return Lacks(bytes);
  if (source_ == nullptr) return Block(this, memory_ + *offset, size);
  void* const data = source_->Take(std::max<int64_t>(bytes, 1));
  {
    const std::lock_guard lock(mutex_);
    if (data != nullptr) {
      offsets_[data] = *offset;
      return Block(this, data, std::max<int64_t>(bytes, 1));
    }
    PutBack(*offset, size);
  }
  return Lacks(bytes);
}

absl::Status Arena::Lacks(int64_t bytes) const {
  return MakeError({.reason = v1::OUT_OF_MEMORY,
                    .remedy = "use smaller tiles or give the worker more of the device's memory",
                    .metadata = {{"bytes", fmt::format("{}", bytes)}, {"device", device_}}},
                   fmt::format("{} has no {:.1f} MiB in one piece: {:.1f} of {:.1f} MiB are free", device_,
                               static_cast<double>(bytes) / kMiB, static_cast<double>(free_bytes()) / kMiB,
                               static_cast<double>(bytes_) / kMiB));
}

absl::StatusOr<Block> Arena::AllocateFloats(int64_t count, ArenaPart part) {
  return Allocate(count < kMost / 4 ? count * int64_t{sizeof(float)} : count, part);
}

int64_t Arena::free_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t total = 0;
  for (const auto& [offset, size] : free_) total += size;
  return total;
}

void Arena::GiveBack(void* data, int64_t bytes) {
  if (source_ != nullptr) {
    {
      const std::lock_guard lock(mutex_);
      const auto given = offsets_.find(data);
      PutBack(given->second, WholePieces(bytes));
      offsets_.erase(given);
    }
    source_->GiveBack(data);
    return;
  }
  const std::lock_guard lock(mutex_);
  PutBack(static_cast<char*>(data) - memory_, bytes);
}

void Arena::PutBack(int64_t offset, int64_t bytes) {
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
