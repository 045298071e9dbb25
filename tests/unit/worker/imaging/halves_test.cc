#include "worker/imaging/halves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

std::vector<float> Shares(uint64_t seed, const Voxel& first, const std::vector<float>& photons) {
  std::vector<float> share(photons.size());
  ShareOfFirstHalf(seed, first, photons, share);
  return share;
}

// Mean and variance of y1 over many voxels of y photons.
struct Moments {
  double mean = 0;
  double variance = 0;
};
Moments FirstHalfOf(float photons) {
  constexpr size_t kVoxels = 100'000;
  double sum = 0, squares = 0;
  for (const float share : Shares(3, {}, std::vector<float>(kVoxels, photons))) {
    const double y1 = static_cast<double>(share) * photons;
    sum += y1;
    squares += y1 * y1;
  }
  const double mean = sum / kVoxels;
  return {mean, squares / kVoxels - mean * mean};
}

TEST(Halves, WholePhotonsAreSplitBinomially) {
  for (const float y : {1.0F, 2.0F, 7.0F, 63.0F, 64.0F, 65.0F, 1000.0F, 1025.0F, 40'000.0F}) {
    const Moments found = FirstHalfOf(y);
    // Five deviations of the mean, and of the variance where y1 is near normal.
    EXPECT_NEAR(found.mean, y / 2, 5 * std::sqrt(y / 4 / 1e5)) << y;
    EXPECT_NEAR(found.variance / (y / 4), 1, 5 * std::sqrt(2 / 1e5)) << y;
  }
}

TEST(Halves, SharesAreThoseOfWholeNumbers) {
  for (const float share : Shares(1, {2, 3, 4}, std::vector<float>(1000, 5))) {
    EXPECT_NEAR(share * 5, std::round(share * 5), 1e-5);
  }
}

// What is left of a photon goes to one half or the other.
TEST(Halves, PartsOfAPhotonStayTogether) {
  int with = 0;
  for (const float share : Shares(1, {}, std::vector<float>(10'000, 2.25F))) {
    const double y1 = share * 2.25, rest = y1 - std::floor(y1 + 1e-5);
    const bool has_it = std::abs(rest - 0.25) < 1e-5;
    ASSERT_TRUE(has_it || std::abs(rest) < 1e-5) << y1;
    with += has_it ? 1 : 0;
  }
  EXPECT_NEAR(with, 5000, 250);
}

TEST(Halves, DarkAndBoundlessVoxelsAreHalved) {
  EXPECT_EQ(Shares(1, {}, {0, -1, 3e38F}), std::vector<float>(3, 0.5F));
}

// A voxel's share is the same whichever row of whichever tile it is read in, and another for every voxel and seed.
TEST(Halves, DependOnThePlaceAlone) {
  const std::vector<float> photons(12, 1e4F);
  const std::vector<float> row = Shares(9, {5, 6, 100}, photons);
  const std::vector<float> later = Shares(9, {5, 6, 104}, photons);
  EXPECT_TRUE(std::equal(row.begin() + 4, row.end(), later.begin()));
  for (const Voxel& other : {Voxel{5, 7, 100}, Voxel{6, 6, 100}, Voxel{5, 6, 101}}) {
    EXPECT_NE(row, Shares(9, other, photons));
  }
  EXPECT_NE(row, Shares(10, {5, 6, 100}, photons));
}

// The halves of a Poisson variable are independent of each other.
TEST(Halves, OfPoissonCountsAreNotCorrelated) {
  constexpr size_t kVoxels = 100'000;
  std::vector<float> y;
  for (size_t i = 0; i < kVoxels; ++i) y.push_back(static_cast<float>(Random::OfVoxel(4, 2, i).Poisson(12)));
  const std::vector<float> share = Shares(5, {}, y);
  double covariance = 0;
  for (size_t i = 0; i < kVoxels; ++i) {
    const double y1 = static_cast<double>(share[i]) * y[i];
    covariance += (y1 - 6) * (y[i] - y1 - 6);
  }
  EXPECT_NEAR(covariance / kVoxels, 0, 5 * 6 / std::sqrt(1e5));
}

}  // namespace
}  // namespace deconvoy::worker
