// The operations of the CUDA backend on one domain.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "worker/backends/cuda/convolver.h"
#include "worker/backends/cuda/cuda_array.h"
#include "worker/backends/cuda/cuda_finishing.h"
#include "worker/backends/cuda/staging_pool.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

class CudaOps final : public Ops {
 public:
  // Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<CudaOps>> Make(std::unique_ptr<Convolver> convolver,
                                                       std::shared_ptr<StagingPool> stagings);

  const Shape3& domain() const override { return convolver_->domain(); }
  absl::StatusOr<std::unique_ptr<Array>> Allocate(const Box3& box) override;
  absl::StatusOr<std::unique_ptr<Otf>> MakeOtf(std::span<const float> psf, const Shape3& shape,
                                               const Voxel& centre) override;
  absl::Status ReadMagnitude(const Otf& otf, std::span<float> magnitude) override;
  absl::StatusOr<std::unique_ptr<Otf>> FilterOtf(const Otf& otf, const SpectralFilter& filter) override;
  absl::StatusOr<std::unique_ptr<Otf>> MakeRealOtf(std::span<const float> values) override;
  absl::StatusOr<std::unique_ptr<Weights>> MakeWeights(const Otf& otf, const Box3& measured,
                                                       const Array* mask) override;
  absl::Status Fill(Array& array, float value) override;
  absl::Status Copy(const Array& source, const Box3& box, Array& target) override;
  absl::Status Upload(std::span<const float> host, const Box3& box, Array& array) override;
  absl::Status Download(const Array& array, const Box3& box, std::span<float> host) override;
  absl::StatusOr<std::unique_ptr<Staging>> Stage(int64_t bytes) override;
  absl::Status Load(Staging& from, v1::VoxelType type, const CountRule& rule, const Box3& box, Array& array) override;
  Finishing* finishing() override { return &finishing_; }
  absl::Status Convolve(const Convolution& step) override;
  absl::Status ConvolveThen(const Convolution& first, const Convolution& second) override;
  absl::StatusOr<Reduction> Reduce(const Array& array, const Box3& box) override;
  absl::Status DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences, float floor,
                               Array& output) override;
  absl::StatusOr<double> ShrinkWavelets(const WaveletShrinkage& shrinkage, Array& array) override;
  absl::StatusOr<double> Dot(const Array& a, const Array& b, const Box3& box) override;
  absl::StatusOr<double> SumSquares(const Array& y, const Array* mask, float background) override;
  absl::StatusOr<std::unique_ptr<Spectrum>> Transform(const Array& field) override;
  absl::Status SolveSplit(const SplitSolve& step) override;
  absl::StatusOr<PriorUpdate> UpdateSplit(const Array& x, const PriorSplit& split, float scale) override;
  absl::Status SubtractDual(const Array& v, const PriorSplit& split, float factor, Array& output) override;
  absl::Status Combine(Array& a, float alpha, const Array& b, float beta) override;
  absl::Status Clamp(Array& array, float floor, float ceiling) override;
  int64_t transforms() const override { return transforms_; }

 private:
  CudaOps(std::unique_ptr<Convolver> convolver, std::shared_ptr<StagingPool> stagings, StreamBlock sums)
      : convolver_(std::move(convolver)),
        stagings_(std::move(stagings)),
        sums_(std::move(sums)),
        finishing_(*convolver_, sums_.as<void>()) {}

  Stream& stream() const { return convolver_->stream(); }
  LaunchPlace place() const { return stream().place(); }
  absl::Status Check(int error, std::string_view call) const { return stream().Check(error, call); }

  // Room on the device for the sums of an epilogue, zero; null where it asks for none. `index` 0 or 1: of one
  // convolution or of the second.
  absl::StatusOr<void*> MakeSums(const Epilogue& epilogue, int index);
  // Adds up what is there, and tells it.
  absl::Status TellSums(const Epilogue& epilogue, const void* sums) const;
  // The sums of a kernel over `shape` that is started by run(sums).
  template <typename Sums, typename Run>
  absl::StatusOr<Sums> SumOver(const Shape3& shape, std::string_view call, const Run& run) const;

  const std::unique_ptr<Convolver> convolver_;
  const std::shared_ptr<StagingPool> stagings_;
  const StreamBlock sums_;
  CudaFinishing finishing_;
  int64_t transforms_ = 0;
};

// As `Ops::ShrinkWavelets`: W* S W array, with room for as many voxels in `room`. `sums` has room for kMostSums.
absl::StatusOr<double> ShrinkWavelets(const WaveletShrinkage& shrinkage, const CudaArray& array,
                                      const Convolver& convolver, Totals<1>* sums);

}  // namespace deconvoy::worker::cuda
