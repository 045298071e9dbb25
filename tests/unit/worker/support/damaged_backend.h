// The CPU backend with results damaged on their way to the host.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::worker::testing {

using Damage = std::function<void(std::span<float>)>;

class DamagedOps : public Ops {
 public:
  DamagedOps(std::unique_ptr<Ops> ops, Damage damage) : ops_(std::move(ops)), damage_(std::move(damage)) {}

  const Shape3& domain() const override { return ops_->domain(); }
  absl::StatusOr<std::unique_ptr<Array>> Allocate(const Box3& box) override { return ops_->Allocate(box); }
  absl::StatusOr<std::unique_ptr<Otf>> MakeOtf(std::span<const float> psf, const Shape3& shape,
                                               const Voxel& centre) override {
    return ops_->MakeOtf(psf, shape, centre);
  }
  absl::Status ReadMagnitude(const Otf& otf, std::span<float> magnitude) override {
    return ops_->ReadMagnitude(otf, magnitude);
  }
  absl::StatusOr<std::unique_ptr<Otf>> FilterOtf(const Otf& otf, const SpectralFilter& filter) override {
    return ops_->FilterOtf(otf, filter);
  }
  absl::StatusOr<std::unique_ptr<Otf>> MakeRealOtf(std::span<const float> values) override {
    return ops_->MakeRealOtf(values);
  }
  absl::Status DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences, float floor,
                               Array& output) override {
    return ops_->DeriveRoughness(kind, p, differences, floor, output);
  }
  absl::StatusOr<double> ShrinkWavelets(const WaveletShrinkage& shrinkage, Array& array) override {
    return ops_->ShrinkWavelets(shrinkage, array);
  }
  absl::StatusOr<double> Dot(const Array& a, const Array& b, const Box3& box) override { return ops_->Dot(a, b, box); }
  absl::StatusOr<std::unique_ptr<Weights>> MakeWeights(const Otf& otf, const Box3& box, const Array* mask) override {
    return ops_->MakeWeights(otf, box, mask);
  }
  absl::Status Fill(Array& array, float value) override { return ops_->Fill(array, value); }
  absl::Status Copy(const Array& source, const Box3& box, Array& target) override {
    return ops_->Copy(source, box, target);
  }
  absl::Status Upload(std::span<const float> host, const Box3& box, Array& array) override {
    return ops_->Upload(host, box, array);
  }
  absl::Status Download(const Array& array, const Box3& box, std::span<float> host) override {
    const absl::Status status = ops_->Download(array, box, host);
    damage_(host);
    return status;
  }
  absl::Status Convolve(const Convolution& step) override { return ops_->Convolve(step); }
  absl::Status ConvolveThen(const Convolution& first, const Convolution& second) override {
    return ops_->ConvolveThen(first, second);
  }
  absl::StatusOr<Reduction> Reduce(const Array& array, const Box3& box) override { return ops_->Reduce(array, box); }
  absl::StatusOr<double> SumSquares(const Array& y, const Array* mask, float background) override {
    return ops_->SumSquares(y, mask, background);
  }
  absl::StatusOr<std::unique_ptr<Spectrum>> Transform(const Array& field) override { return ops_->Transform(field); }
  absl::Status SolveSplit(const SplitSolve& step) override { return ops_->SolveSplit(step); }
  absl::StatusOr<PriorUpdate> UpdateSplit(const Array& x, const PriorSplit& split, float scale) override {
    return ops_->UpdateSplit(x, split, scale);
  }
  absl::Status SubtractDual(const Array& v, const PriorSplit& split, float factor, Array& output) override {
    return ops_->SubtractDual(v, split, factor, output);
  }
  absl::Status Combine(Array& a, float alpha, const Array& b, float beta) override {
    return ops_->Combine(a, alpha, b, beta);
  }
  absl::Status Clamp(Array& array, float floor, float ceiling) override { return ops_->Clamp(array, floor, ceiling); }
  int64_t transforms() const override { return ops_->transforms(); }

 private:
  const std::unique_ptr<Ops> ops_;
  const Damage damage_;
};

class DamagedBackend : public Backend {
 public:
  explicit DamagedBackend(Damage damage) : damage_(std::move(damage)) {}
  std::string name() const override { return "damaged"; }
  std::string device() const override { return "damaged"; }
  int threads() const override { return 1; }
  absl::StatusOr<std::unique_ptr<Ops>> Open(const Shape3& domain) override {
    auto ops = backend_->Open(domain);
    if (!ops.ok()) return ops.status();
    return std::make_unique<DamagedOps>(*std::move(ops), damage_);
  }

 private:
  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  const Damage damage_;
};

}  // namespace deconvoy::worker::testing
