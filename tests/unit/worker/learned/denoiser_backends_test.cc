// A model as a denoiser, whatever the estimate lies on: it goes out, through the model, and back in.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"
#include "worker/learned/denoiser.h"

namespace deconvoy::worker::learned {
namespace {

// Takes the noise's deviation off every value.
class Lowering final : public Model {
 public:
  const ModelFacts& facts() const override { return facts_; }
  const NetworkKind& kind() const override { return kind_; }
  Shape3 halo() const override { return {1, 1, 1}; }
  int64_t MemoryBytes(const Shape3& box) const override { return 100 * box.voxels(); }
  absl::StatusOr<Estimate> Apply(std::span<const float> values, const Shape3& /*box*/, const Scale& /*scale*/,
                                 float noise) const override {
    Estimate estimate{{values.begin(), values.end()}, {}};
    for (float& value : estimate.value) value -= noise;
    return estimate;
  }

 private:
  const ModelFacts facts_ = {};
  const NetworkKind kind_{.name = "lowering", .structure = "", .citation = "", .purpose = Purpose::kDenoise, .halo = 1};
};

void ExpectLowered(Backend& backend) {
  const Shape3 domain{6, 10, 12};
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Ops> ops, backend.Open(domain));
  const Lowering model;
  ASSERT_OK_AND_ASSIGN(const auto kind, LearnedDenoiser::Of(model));
  Problem problem;
  problem.ops = ops.get();
  ASSERT_OK_AND_ASSIGN(const auto denoiser, kind->Open(problem));
  std::vector<float> values(static_cast<size_t>(domain.voxels()));
  Random random(deconvoy::testing::Seed());
  for (float& value : values) value = static_cast<float>(random.Normal());
  ASSERT_OK_AND_ASSIGN(const auto v, ops->Allocate({{}, domain}));
  ASSERT_OK(ops->Upload(values, v->box(), *v));
  for (const float sigma : {2.0F, 0.5F}) {
    ASSERT_OK(denoiser->Denoise(*v, sigma));
    for (float& value : values) value -= sigma;
  }
  std::vector<float> found(values.size());
  ASSERT_OK(ops->Download(*v, v->box(), found));
  EXPECT_EQ(found, values);
}

TEST(DenoiserBackends, Processors) {
  ExpectLowered(*MakeCpuBackend({.threads = 2, .wisdom_folder = {}}));
}

TEST(DenoiserBackends, EmulatedDevice) {
  ExpectLowered(*cuda::MakeEmulatedCuda());
}

}  // namespace
}  // namespace deconvoy::worker::learned
