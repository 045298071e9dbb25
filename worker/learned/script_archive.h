// What can be told of a TorchScript file without running any of it. For the sources of this room only.
#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace deconvoy::worker::learned {

inline constexpr uint32_t kMostArchiveEntries = 10'000;
inline constexpr uint64_t kMostUnpackedBytes = uint64_t{1} << 28;

// A zip archive with `NAME/code/` and `NAME/data.pkl`, as torch.jit.save writes. Nothing is unpacked or unpickled;
// sizes are those that the archive's directory tells. Errors: BAD_MODEL, for a pickle of torch.save saying what it is;
// LIMIT_EXCEEDED.
absl::Status CheckArchive(std::span<const std::byte> file);

}  // namespace deconvoy::worker::learned
