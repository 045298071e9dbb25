// The operations of the CPU backend on one domain.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>

#include "worker/backends/cpu/convolver.h"
#include "worker/backends/cpu/thread_pool.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

class CpuOps final : public Ops {
 public:
  // `pool` must outlive it and what it makes.
  CpuOps(std::unique_ptr<Convolver> convolver, std::filesystem::path wisdom_folder, ThreadPool* pool)
      : convolver_(std::move(convolver)), wisdom_folder_(std::move(wisdom_folder)), pool_(pool) {}

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
  absl::Status Load(Staging& from, v1::VoxelType type, const CountRule& rule, const Box3& box, Array& array) override;
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
  // Calls visit(z, y) for every row of the box, the rows of one plane in order on one thread.
  template <typename Visit>
  void ForEachRow(const Box3& box, const Visit& visit);

  const std::unique_ptr<Convolver> convolver_;
  const std::filesystem::path wisdom_folder_;
  ThreadPool* const pool_;
  int64_t transforms_ = 0;
};

}  // namespace deconvoy::worker::cpu
