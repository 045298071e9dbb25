#include "client/cpp/plane.h"

#include <fmt/format.h>

#include <new>

#include "proto/contract/error.h"

namespace deconvoy::client {

absl::StatusOr<std::vector<std::byte>> AllocatePlane(int64_t bytes) {
  try {
    return std::vector<std::byte>(static_cast<size_t>(bytes));
  } catch (const std::bad_alloc&) {
    return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Use a machine with more memory."},
                     fmt::format("no memory for one plane of {} bytes", bytes));
  }
}

}  // namespace deconvoy::client
