// What the CUDA backend makes of results before they leave the device.
#pragma once

#include "worker/backends/cuda/convolver.h"
#include "worker/ops/finishing.h"

namespace deconvoy::worker::cuda {

class CudaFinishing final : public Finishing {
 public:
  // Memory of the device for its sums.
  static constexpr int64_t kSumBytes = kMostSums * int64_t{sizeof(Totals<9>)};

  // `sums`: kSumBytes that nobody uses meanwhile. Both must outlive it.
  CudaFinishing(const Convolver& convolver, void* sums) : convolver_(convolver), sums_(sums) {}

  absl::Status Unload(const Array& array, const Box3& box, const VoxelRule& rule, Staging& to) override;
  absl::StatusOr<CountTotals> CountVoxels(const Array& array, const Box3& box, const VoxelRule& rule) override;
  absl::StatusOr<NoiseSums> SumNoise(const FinishedCore& core, const NoiseRule& rule) override;
  absl::StatusOr<ResidualSums> SumResidual(const FinishedCore& core, const ResidualScale& scale) override;

 private:
  template <typename Sums, typename Run>
  absl::StatusOr<Sums> Sum(const Shape3& shape, std::string_view call, const Run& run) const;

  const Convolver& convolver_;
  void* const sums_;
};

}  // namespace deconvoy::worker::cuda
