// Sums that kernels have left in memory of the device.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/convolver.h"

namespace deconvoy::worker::cuda {

// Adds up `count` of them, in order. Waits for the kernels.
template <typename Sums>
absl::StatusOr<Sums> AddUp(const Convolver& convolver, const void* sums, int64_t count) {
  std::vector<Sums> host(static_cast<size_t>(count));
  RETURN_IF_ERROR(convolver.Download(sums, count * int64_t{sizeof(Sums)} / 4, host.data()));
  Sums total = Sums::Nothing();
  for (const Sums& part : host) total.Add(part);
  return total;
}

// The sums over `shape` of the kernel that run(sums) starts; `call` names it. `sums` has room for kMostSums.
template <typename Sums, typename Run>
absl::StatusOr<Sums> SumOver(const Convolver& convolver, const Shape3& shape, std::string_view call, Sums* sums,
                             const Run& run) {
  if (shape.empty()) return Sums::Nothing();
  RETURN_IF_ERROR(convolver.stream().Check(run(sums), call));
  return AddUp<Sums>(convolver, sums, SumsFor(shape));
}

}  // namespace deconvoy::worker::cuda
