// What backends share of the way between stored counts and arrays.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "deconvoy/v1/volumes.pb.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// Ordinary memory of the host. Errors: OUT_OF_MEMORY.
absl::StatusOr<std::unique_ptr<Staging>> MakeHostStaging(int64_t bytes);

// The values of counts of `type`, U8 or U16. REQUIRES: as many bytes as values.size() voxels of `type` have.
void ConvertCounts(const CountRule& rule, std::span<const std::byte> counts, v1::VoxelType type,
                   std::span<float> values);

}  // namespace deconvoy::worker
