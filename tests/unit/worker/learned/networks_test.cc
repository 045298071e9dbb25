// Every network: as many parameters as it says, results of the right extents, right gradients, and nothing that reaches
// farther than its halo.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/support/test_support.h"
#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {
namespace {

torch::Tensor SmallPsf() {
  const torch::Tensor psf = torch::rand({5, 3, 3}) + 0.1;
  return psf / psf.sum();
}

// The derivative along a random direction, of input and parameters at once, against differences, in double precision.
void ExpectRightGradients(Network& network) {
  network.to(torch::kFloat64);
  torch::Tensor u = torch::rand({1, 1, 8, 8, 8}, torch::kFloat64).set_requires_grad(true);
  const torch::Tensor noise = torch::full({1}, 0.1, torch::kFloat64),
                      weights = torch::randn_like(network.Restore(u, noise).detach());
  const auto loss = [&] { return (network.Restore(u, noise) * weights).sum(); };
  loss().backward();
  std::vector<torch::Tensor> all = network.parameters(), directions;
  all.push_back(u);
  const torch::NoGradGuard no_gradients;
  double derivative = 0;
  for (const torch::Tensor& tensor : all) {
    directions.push_back(torch::randn_like(tensor));
    ASSERT_TRUE(tensor.grad().defined());
    EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << "a parameter does not count";
    derivative += (tensor.grad() * directions.back()).sum().item<double>();
  }
  const auto move = [&](double by) {
    for (size_t i = 0; i < all.size(); ++i) all[i].add_(directions[i], by);
    return loss().item<double>();
  };
  // A step may meet the kink of a threshold: then a shorter one does not.
  double nearest = 0;
  for (const double step : {1e-7, 1e-8, 1e-9}) {
    const double above = move(step), below = move(-2 * step);
    move(step);
    const double ratio = (above - below) / (2 * step) / derivative;
    if (std::abs(ratio - 1) < std::abs(nearest - 1)) nearest = ratio;
  }
  EXPECT_NEAR(nearest, 1, 1e-3) << derivative;
}

class EveryNetwork : public ::testing::TestWithParam<NetworkKind> {
 protected:
  void SetUp() override { torch::manual_seed(testing::Seed()); }

  std::shared_ptr<Network> Drawn(Head head = Head::kPlain) {
    auto network = MakeNetwork(GetParam().name, head, SmallPsf());
    DrawWeights(*network, testing::Seed());
    return network;
  }
  static int64_t Parameters(const Network& network) {
    int64_t parameters = 0;
    for (const torch::Tensor& tensor : network.parameters()) parameters += tensor.numel();
    return parameters;
  }
};

TEST_P(EveryNetwork, HasTheParametersThatItSays) {
  EXPECT_EQ(Parameters(*Drawn()), GetParam().parameters);
}

TEST_P(EveryNetwork, KeepsExtents) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor u = torch::rand({2, 1, 8, 12, 16}), noise = torch::full({2}, 0.1);
  EXPECT_EQ(Drawn()->Restore(u, noise).sizes(), u.sizes());
  if (GetParam().plain_only) return;
  EXPECT_EQ(Drawn(Head::kProbabilistic)->Restore(u, noise).sizes(), (std::vector<int64_t>{2, 2, 8, 12, 16}));
}

// Two boxes at once are as two boxes one after the other.
TEST_P(EveryNetwork, KeepsBoxesApart) {
  const torch::NoGradGuard no_gradients;
  const auto network = Drawn();
  const torch::Tensor u = torch::rand({2, 1, 8, 8, 8}), noise = torch::tensor({0.1F, 0.2F});
  const torch::Tensor both = network->Restore(u, noise);
  for (int64_t i = 0; i < 2; ++i) {
    const torch::Tensor one = network->Restore(u.slice(0, i, i + 1), noise.slice(0, i, i + 1));
    EXPECT_TRUE(torch::allclose(one, both.slice(0, i, i + 1), 1e-4, 1e-5));
  }
}

// Of networks on axial slices xz slices alone, each by itself; of others the whole result.
TEST_P(EveryNetwork, RestoresXzSlices) {
  const torch::NoGradGuard no_gradients;
  const auto network = Drawn();
  const torch::Tensor u = torch::rand({2, 1, 8, 8, 16}), noise = torch::full({2}, 0.1);
  const torch::Tensor xz = network->RestoreXz(u, noise), both = network->Restore(u, noise);
  if (!GetParam().axial_slices) {
    EXPECT_TRUE(torch::allclose(xz, both, 1e-4, 1e-5));
    return;
  }
  const torch::Tensor yz = network->RestoreXz(u.transpose(3, 4), noise).transpose(3, 4);
  EXPECT_TRUE(torch::allclose((xz + yz) / 2, both, 1e-4, 1e-5));
  EXPECT_FALSE(torch::allclose(xz, yz, 1e-2, 1e-2));
  torch::Tensor other = u.clone();
  other.slice(3, 0, 4).zero_();
  const torch::Tensor kept = network->RestoreXz(other, noise).slice(3, 4, 8);
  EXPECT_TRUE(torch::allclose(kept, xz.slice(3, 4, 8), 1e-4, 1e-5));
}

TEST_P(EveryNetwork, HasRightGradients) {
  ExpectRightGradients(*Drawn());
  if (!GetParam().plain_only) ExpectRightGradients(*Drawn(Head::kProbabilistic));
}

// What a voxel of the result depends on lies within the halo.
TEST_P(EveryNetwork, ReachesNoFartherThanItsHalo) {
  if (GetParam().knows_psf) GTEST_SKIP() << "its reach is that of the inverse of the PSF; see model_test.cc";
  const int64_t halo = GetParam().halo, step = GetParam().step;
  const int64_t middle = (halo + 2 * step) / step * step, extent = 2 * middle + 2 * step;
  const auto network = Drawn();
  for (const int64_t at : {middle, middle + step - 1}) {
    torch::Tensor u = torch::rand({1, 1, extent, extent, extent}).set_requires_grad(true);
    network->Restore(u, torch::full({1}, 0.1))[0][0][at][at][at].backward();
    for (int64_t axis = 2; axis < 5; ++axis) {
      const torch::Tensor touched = u.grad().abs().amax(axis == 2   ? std::vector<int64_t>{0, 1, 3, 4}
                                                        : axis == 3 ? std::vector<int64_t>{0, 1, 2, 4}
                                                                    : std::vector<int64_t>{0, 1, 2, 3});
      for (int64_t i = 0; i < extent; ++i) {
        if (std::abs(i - at) <= halo) continue;
        EXPECT_EQ(touched[i].item<float>(), 0) << "from " << at << " to " << i;
      }
    }
    EXPECT_NE(u.grad()[0][0][at][at][at].item<float>(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryNetwork, ::testing::ValuesIn(AllNetworks().begin(), AllNetworks().end()),
                         [](const auto& test) {
                           std::string name(test.param.name);
                           std::erase(name, '-');
                           return name;
                         });

// Strips of some planes, channels that come in parts, and what is made of them while they are there.
TEST(Convolution, IsTheSameInStrips) {
  const torch::NoGradGuard no_gradients;
  SetThreads(2);
  const auto mean_light = [](const torch::Tensor& x) { return torch::relu(x).mean(1, true); };
  for (const int64_t planes : {1, 4, 9}) {  // four are a strip
    Convolution convolution({.in = 5, .out = 16});
    DrawWeights(convolution, testing::Seed());
    convolution.bias.fill_(0.25F);
    const torch::Tensor x = torch::rand({2, planes, 5, 256, 300}).transpose(1, 2);
    const torch::Tensor plain = torch::conv3d(x, convolution.weight, convolution.bias, 1, 1);
    EXPECT_LE((convolution(x) - plain).abs().max().item<float>(), 1e-4F) << planes;
    const torch::Tensor parts = convolution({x.slice(1, 0, 2), x.slice(1, 2)}, mean_light);
    EXPECT_LE((parts - mean_light(plain)).abs().max().item<float>(), 1e-4F) << planes;
  }
}

TEST(Convolution, OfOtherKernelsIsLibTorchs) {
  const torch::NoGradGuard no_gradients;
  Convolution convolution({.in = 3, .out = 2, .kernel = 5});
  DrawWeights(convolution, testing::Seed());
  const torch::Tensor x = torch::rand({1, 3, 6, 20, 20});
  EXPECT_TRUE(torch::equal(convolution(x), torch::conv3d(x, convolution.weight, convolution.bias, 1, 2)));
}

TEST(SoftplusOf, IsTheSameWithGradientsAndWithout) {
  const torch::Tensor x = torch::randn({3, 5, 40, 41, 42}) * 8;
  const torch::Tensor with = SoftplusOf(x);
  const torch::NoGradGuard no_gradients;
  const torch::Tensor without = SoftplusOf(x.transpose(1, 2)).transpose(1, 2);
  EXPECT_LE(((with - without).abs() / with.clamp_min(1e-6)).max().item<float>(), 2e-6F);
}

}  // namespace
}  // namespace deconvoy::worker::learned
