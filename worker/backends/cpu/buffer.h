// Whole-volume memory of the CPU backend.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace deconvoy::worker::cpu {

// Zero-filled memory of its own mapping, aligned to 64 bytes at least and in huge pages where the system gives them.
// Pages are placed by the thread that first touches them, and returned to the system at the end.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  // Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY.
  static absl::StatusOr<Buffer> OfFloats(int64_t count);

  float* data() { return static_cast<float*>(data_); }
  const float* data() const { return static_cast<const float*>(data_); }

 private:
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
  void* data_ = nullptr;
};

}  // namespace deconvoy::worker::cpu
