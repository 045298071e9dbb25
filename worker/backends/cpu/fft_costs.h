// How long transforms of each extent take on this machine, for those who choose padded extents
// (proto/contract/fft_costs.h).
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::worker::cpu {

// Plans and times, on the calling thread, rows and columns of every extent up to `largest` whose prime factors are at
// most 13, and keeps plans and costs in `folder`. `progress` hears after each extent how many of how many are done.
// Half a minute for 2304; nothing else should compute meanwhile. Errors: STORAGE_FAILURE with the path.
absl::Status MeasureFftCosts(int64_t largest, const std::filesystem::path& folder,
                             const std::function<void(int64_t done, int64_t total)>& progress);

// What was kept in `folder` for this machine; empty where nothing was, or where it cannot be read (which is logged).
v1::FftCosts KeptFftCosts(const std::filesystem::path& folder);

}  // namespace deconvoy::worker::cpu
