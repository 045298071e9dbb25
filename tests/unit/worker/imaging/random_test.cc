#include "worker/imaging/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace deconvoy::worker {
namespace {

// The published sequence of SplitMix64 from seed 1234567.
TEST(Random, IsSplitMix64) {
  Random random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317U);
  EXPECT_EQ(random.Next(), 3203168211198807973U);
  EXPECT_EQ(random.Next(), 9817491932198370423U);
}

TEST(Random, UniformStaysInItsRange) {
  Random random(7);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = random.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(Random, VoxelsSeedsAndStreamsDiffer) {
  EXPECT_EQ(Random::OfVoxel(1, 2, 3).Next(), Random::OfVoxel(1, 2, 3).Next());
  EXPECT_NE(Random::OfVoxel(1, 2, 3).Next(), Random::OfVoxel(1, 2, 4).Next());
  EXPECT_NE(Random::OfVoxel(1, 2, 3).Next(), Random::OfVoxel(1, 3, 3).Next());
  EXPECT_NE(Random::OfVoxel(1, 2, 3).Next(), Random::OfVoxel(2, 2, 3).Next());
}

// Neighbouring voxels' first numbers are not correlated.
TEST(Random, NeighboursAreIndependent) {
  constexpr int kVoxels = 100'000;
  double product = 0;
  for (uint64_t i = 0; i < kVoxels; ++i) {
    product += (Random::OfVoxel(5, 2, i).Uniform() - 0.5) * (Random::OfVoxel(5, 2, i + 1).Uniform() - 0.5);
  }
  EXPECT_NEAR(product / kVoxels * 12, 0, 0.015);
}

TEST(Random, NormalHasItsMoments) {
  constexpr int kSamples = 200'000;
  double sum = 0, squares = 0, fourth = 0;
  for (uint64_t i = 0; i < kSamples; ++i) {
    const double v = Random::OfVoxel(9, 1, i).Normal();
    sum += v;
    squares += v * v;
    fourth += v * v * v * v;
  }
  EXPECT_NEAR(sum / kSamples, 0, 0.01);
  EXPECT_NEAR(squares / kSamples, 1, 0.015);
  EXPECT_NEAR(fourth / kSamples, 3, 0.15);
}

class PoissonNumbers : public ::testing::TestWithParam<double> {};

// Chi-square against the exact probabilities, cells of at least ten expected.
TEST_P(PoissonNumbers, FollowTheDistribution) {
  const double mean = GetParam();
  constexpr int kSamples = 200'000;
  std::vector<double> seen(static_cast<size_t>(mean + 12 * std::sqrt(mean) + 20));
  for (uint64_t i = 0; i < kSamples; ++i) {
    const double k = Random::OfVoxel(3, 2, i).Poisson(mean);
    ASSERT_EQ(k, std::floor(k));
    ASSERT_GE(k, 0);
    ASSERT_LT(k, static_cast<double>(seen.size()));
    ++seen[static_cast<size_t>(k)];
  }
  double chi = 0, expected = 0, counted = 0;
  int cells = 0;
  for (size_t k = 0; k < seen.size(); ++k) {
    const double n = static_cast<double>(k);
    expected += kSamples * std::exp(n * std::log(mean) - mean - std::lgamma(n + 1));
    counted += seen[k];
    if (expected < 10) continue;
    chi += (counted - expected) * (counted - expected) / expected;
    ++cells;
    expected = counted = 0;
  }
  // Five deviations of chi-square with that many degrees of freedom.
  EXPECT_LT(chi, cells + 5 * std::sqrt(2.0 * cells)) << "mean " << mean << ", " << cells << " cells";
}

INSTANTIATE_TEST_SUITE_P(Means, PoissonNumbers, ::testing::Values(0.05, 1.0, 9.99, 10.0, 12.5, 40.0, 900.0));

TEST(Random, PoissonOfZeroIsZeroAndLargeMeansAreExactEnough) {
  EXPECT_EQ(Random(1).Poisson(0), 0);
  double sum = 0, squares = 0;
  constexpr double kMean = 1e9;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const double d = (Random::OfVoxel(4, 2, i).Poisson(kMean) - kMean) / std::sqrt(kMean);
    sum += d;
    squares += d * d;
  }
  EXPECT_NEAR(sum / 20'000, 0, 0.03);
  EXPECT_NEAR(squares / 20'000, 1, 0.05);
}

// Exactly binomial, on both sides of where the way of drawing changes: chi squared over the values within four
// deviations of the middle.
TEST(Random, HeadsAreBinomial) {
  constexpr int kSamples = 200'000;
  for (const int64_t n : {int64_t{1}, int64_t{10}, int64_t{64}, int64_t{100}, int64_t{1024}, int64_t{1025}}) {
    const double deviation = std::sqrt(static_cast<double>(n)) / 2;
    std::vector<int> counts(static_cast<size_t>(n + 1));
    for (uint64_t i = 0; i < kSamples; ++i) {
      const int64_t heads = Random::OfVoxel(8, 5, i).Heads(n);
      ASSERT_GE(heads, 0);
      ASSERT_LE(heads, n);
      ++counts[static_cast<size_t>(heads)];
    }
    double chi_squared = 0;
    int values = 0;
    for (int64_t k = 0; k <= n; ++k) {
      const auto all = static_cast<double>(n), here = static_cast<double>(k);
      if (std::abs(here - all / 2) > 4 * deviation) continue;
      const double expected = kSamples * std::exp(std::lgamma(all + 1) - std::lgamma(here + 1) -
                                                  std::lgamma(all - here + 1) - all * std::log(2.0));
      if (expected < 10) continue;
      chi_squared += std::pow(counts[static_cast<size_t>(k)] - expected, 2) / expected;
      ++values;
    }
    EXPECT_LE(chi_squared, values + 5 * std::sqrt(2.0 * values)) << n;
  }
  EXPECT_EQ(Random(1).Heads(0), 0);
}

}  // namespace
}  // namespace deconvoy::worker
