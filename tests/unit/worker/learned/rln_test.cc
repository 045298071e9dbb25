// The blocks of rln are steps of Richardson-Lucy, as the method computes them.
#include "worker/learned/rln.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker::learned {
namespace {

constexpr Shape3 kShape{12, 14, 16};

class Silent final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& /*iteration*/) override { return absl::OkStatus(); }
};

// One plain iteration of the method `rl` from the image itself.
std::vector<float> OneIteration(const std::vector<float>& image, const std::vector<float>& psf) {
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  const auto ops = backend->Open(kShape).value();
  const auto otf = ops->MakeOtf(psf, {3, 3, 3}, {1, 1, 1}).value();
  const auto y = ops->Allocate({{}, kShape}).value();
  EXPECT_OK(ops->Upload(image, y->box(), *y));
  const Problem problem{.ops = ops.get(), .otf = otf.get(), .measured = y.get(), .boundary = v1::PERIODIC, .mean = 500};
  const Method& rl = *FindMethod("rl");
  const auto parameters =
      ResolveParameters(rl.description(), {{"iterations", "1"}, {"initial", "image"}, {"acceleration", "none"}});
  EXPECT_OK(parameters);
  Silent silent;
  const auto x = rl.Run(problem, *parameters, silent);
  EXPECT_OK(x);
  std::vector<float> values(image.size());
  EXPECT_OK(ops->Download(**x, {{}, kShape}, values));
  return values;
}

// Kernel `from` to `to` of a unit: `kernel` times `factor`.
void Set(const RlnUnit& unit, int64_t to, int64_t from, const torch::Tensor& kernel, float factor = 1) {
  unit.convolution->weight[to][from].copy_(kernel * factor);
}

TEST(RlnBlock, IsOneStepOfRichardsonLucy) {
  const torch::NoGradGuard no_gradients;
  Random random(testing::Seed());
  std::vector<float> psf(27), image(static_cast<size_t>(kShape.voxels()));
  float sum = 0;
  for (float& value : psf) sum += value = static_cast<float>(random.Uniform(0.1, 1));
  for (float& value : psf) value /= sum;
  for (float& value : image) value = static_cast<float>(random.Uniform(100, 1000));
  const std::vector<float> expected = OneIteration(image, psf);

  const torch::Tensor h = torch::from_blob(psf.data(), {3, 3, 3}).clone();
  torch::Tensor delta = torch::zeros({3, 3, 3});
  delta[1][1][1] = 1;
  for (const bool deep : {false, true}) {
    RlnBlock block(deep);
    DrawWeights(block, 1);
    block.activation = Activation::kNone;
    for (const auto* units : {&block.forward_units, &block.back_units}) {
      for (const auto& unit : *units) {
        unit->activation = Activation::kNone;
        // What stays as it was drawn is the second layer of three, which the last one then leaves out.
        if (!deep || unit != (*units)[1]) unit->convolution->weight.zero_();
      }
    }
    // forward: H x - x, to which the block adds x; a convolution with h is a correlation with its reflection.
    Set(*block.forward_units.front(), 0, 0, h.flip({0, 1, 2}));
    Set(*block.forward_units.front(), 1, 0, delta);
    for (int64_t to = 0; to < 4; ++to) {
      Set(*block.forward_units.back(), to, 0, delta);
      Set(*block.forward_units.back(), to, 1, delta, -1);
    }
    Set(*block.back_units.front(), 0, 0, h);
    for (int64_t to = 0; to < 8; ++to) Set(*block.back_units.back(), to, 0, delta);

    const torch::Tensor x = torch::from_blob(image.data(), {1, 1, kShape.z, kShape.y, kShape.x});
    const torch::Tensor step = (x * block.MeanBack(block.Quotient(x))).contiguous();
    // Beyond its faces the network sees zeros, the method the other side: two convolutions reach 2 voxels in.
    for (int64_t z = 2; z < kShape.z - 2; ++z) {
      for (int64_t i = 2; i < kShape.y - 2; ++i) {
        for (int64_t j = 2; j < kShape.x - 2; ++j) {
          const auto at = static_cast<size_t>((z * kShape.y + i) * kShape.x + j);
          ASSERT_NEAR(step.data_ptr<float>()[at] / expected[at], 1, 1e-5) << deep << " " << z << " " << i << " " << j;
        }
      }
    }
  }
}

// Of every channel, as batch normalisation would give; channels that differ stay apart from one another.
TEST(RlnUnit, SettlesEachOfItsChannels) {
  const torch::NoGradGuard no_gradients;
  RlnUnit unit(1, 3);
  DrawWeights(unit, 3);
  unit.convolution->weight[1].mul_(10);
  unit.activation = Activation::kNone;
  torch::manual_seed(5);
  const torch::Tensor u = torch::rand({2, 1, 8, 8, 8});
  unit.settling = true;
  const torch::Tensor settled = unit({u}).transpose(0, 1).flatten(1);
  for (int64_t channel = 0; channel < 3; ++channel) {
    EXPECT_NEAR(settled[channel].mean().item<double>(), 0, 1e-4) << channel;
    EXPECT_NEAR(settled[channel].std().item<double>(), 1, 1e-3) << channel;
  }
}

TEST(Rln, SettlesOnItsFirstExamples) {
  const torch::NoGradGuard no_gradients;
  Rln network(1);
  DrawWeights(network, 3);
  torch::manual_seed(5);
  const torch::Tensor u = torch::rand({2, 1, 16, 16, 16});
  network.Settle(u);
  const torch::Tensor r = network.Restore(u, {});
  EXPECT_GT(r.min().item<float>(), 0);
  EXPECT_LT(r.mean().item<float>(), 0.3);  // softplus of a mean of -3 and a deviation of 1
  EXPECT_GT(r.std().item<float>(), 1e-3);
  EXPECT_TRUE(torch::allclose(r, network.Restore(u, {})));  // settled once
}

}  // namespace
}  // namespace deconvoy::worker::learned
