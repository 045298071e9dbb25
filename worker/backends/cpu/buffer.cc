#include "worker/backends/cpu/buffer.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include "proto/contract/error.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

absl::Status OutOfMemory(int64_t floats) {
  return MakeError(
      {.reason = v1::OUT_OF_MEMORY,
       .field = "",
       .remedy = "use smaller tiles or give the worker more memory",
       .metadata = {{"bytes", fmt::format("{}", static_cast<double>(floats) * 4)}}},
      fmt::format("the CPU backend cannot allocate {:.1f} MiB", static_cast<double>(floats) * 4 / 1048576));
}

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(data_, other.data_);
  return *this;
}

Buffer::~Buffer() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

absl::StatusOr<Buffer> Buffer::OfFloats(int64_t count) {
  if (count < 0 || count > (int64_t{1} << 60)) return OutOfMemory(count);
  const size_t bytes = static_cast<size_t>(count) * sizeof(float) + 64;
  const bool huge = bytes >= 2 * kHugePage;
  Buffer buffer;
  buffer.mapped_bytes_ = bytes + (huge ? kHugePage : 0);
  void* mapping =
      mmap(nullptr, buffer.mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, /*fd=*/-1, /*offset=*/0);
  if (mapping == MAP_FAILED) return OutOfMemory(count);
  buffer.mapping_ = mapping;
  const auto address = reinterpret_cast<uintptr_t>(mapping);
  const uintptr_t start = huge ? (address + kHugePage - 1) / kHugePage * kHugePage : address;
  buffer.data_ = static_cast<std::byte*>(mapping) + (start - address);
  if (huge) madvise(buffer.data_, bytes, MADV_HUGEPAGE);
  return buffer;
}

}  // namespace deconvoy::worker::cpu
