// The worker's rl-gc against the same formula in double precision.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/reference/engine.h"
#include "tests/reference/gradient_consensus.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"
#include "worker/imaging/halves.h"

namespace deconvoy::reference {
namespace {

// Decisions closer than this may go either way in single precision; then another image is taken.
constexpr double kDecided = 3e-6;
constexpr int kDraws = 50;
constexpr double kBackground = 0.5;
constexpr uint64_t kSeed = 5;
constexpr Voxel kPlace{11, 2, 30};  // of the tile in its frame

// Whole photons of a flat specimen, so few that there is little but noise, on which the halves are at odds.
Volume Photons(const Shape3& n, std::mt19937_64& random) {
  Volume image = RandomVolume(n.z, n.y, n.x, 2, 4, random);
  for (double& v : image.values) v = std::poisson_distribution<int>(v)(random);
  return image;
}

// The first half as the worker splits it.
Volume FirstHalf(const Volume& y) {
  Volume half = y;
  for (int64_t z = 0; z < y.nz; ++z) {
    for (int64_t row = 0; row < y.ny; ++row) {
      std::vector<float> values;
      for (int64_t x = 0; x < y.nx; ++x) values.push_back(static_cast<float>(y.at(z, row, x)));
      worker::ShareOfFirstHalf(kSeed, kPlace + Voxel{z, row, 0}, values, values);
      for (int64_t x = 0; x < y.nx; ++x) half.at(z, row, x) *= values[static_cast<size_t>(x)];
    }
  }
  return half;
}

class GradientConsensusTest : public ::testing::TestWithParam<Size> {
 protected:
  // On a circle, or with the surroundings estimated and some voxels masked.
  void Compare(bool extended, int iterations) {
    const Shape3 &n = GetParam().image, &h = GetParam().psf;
    const Shape3 d = extended ? ExtendedDomain(GetParam()) : n;
    for (int draw = 0; draw < kDraws; ++draw) {
      const Volume y = Photons(n, random_);
      const Psf psf = RandomPsf(h.z, h.y, h.x, random_);
      Volume m(n.z, n.y, n.x, 1);
      if (extended) m.at(n.z / 2, n.y / 2, n.x / 3) = 0;
      const Volume first = FirstHalf(y);
      Volume second = y;
      for (size_t i = 0; i < y.values.size(); ++i) second.values[i] -= first.values[i];
      const auto whole = [&](const Volume& volume) { return Padded(volume, d.z, d.y, d.x); };
      const double mean = static_cast<float>(MeanOf(y));
      const ConsensusResult expected = GradientConsensus(whole(first), whole(second), whole(m), psf,
                                                         Volume(d.z, d.y, d.x, mean), kBackground, mean, iterations);
      if (expected.closest < kDecided) continue;
      if (n.voxels() > 100) {
        EXPECT_GT(expected.kept, 0) << "consensus does not show";
      }
      ASSERT_OK_AND_ASSIGN(const Volume found,
                           RunMethod("rl-gc", {.y = y,
                                               .domain = d,
                                               .origin = {},
                                               .psf = psf,
                                               .parameters = {{"iterations", std::to_string(iterations)},
                                                              {"seed", std::to_string(kSeed)}},
                                               .boundary = extended ? v1::EXTEND : v1::PERIODIC,
                                               .background = kBackground,
                                               .mean = mean,
                                               .frame_origin = kPlace,
                                               .mask = &m}));
      EXPECT_LE(RelativeError(found, Cropped(expected.x, n.z, n.y, n.x)), kTolerance);
      return;
    }
    FAIL() << "every one of " << kDraws << " images has a decision that rounding may turn";
  }

  std::mt19937_64 random_{testing::Seed()};
};

TEST_P(GradientConsensusTest, EqualsTheFormulaOnACircle) {
  Compare(false, 3);
  Compare(false, 8);
}

TEST_P(GradientConsensusTest, EqualsTheFormulaWithItsSurroundings) {
  Compare(true, 3);
  Compare(true, 6);
}

INSTANTIATE_TEST_SUITE_P(Sizes, GradientConsensusTest, ::testing::ValuesIn(kSizes),
                         [](const auto& size) { return NameOf(size.param); });

}  // namespace
}  // namespace deconvoy::reference
