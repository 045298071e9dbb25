// Room for one plane of a volume. Internal to this library.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace deconvoy::client {

// OUT_OF_MEMORY where there is not that much.
absl::StatusOr<std::vector<std::byte>> AllocatePlane(int64_t bytes);

}  // namespace deconvoy::client
