#include "proto/contract/quality.h"

#include <gtest/gtest.h>

namespace deconvoy {
namespace {

TEST(CorrelationOf, IsThatOfPairsAboutTheMean) {
  v1::QualityStatistics quality;
  quality.set_voxels(1000);
  quality.set_residual_sum(500);       // mean 0.5
  quality.set_residual_squares(1250);  // variance 1
  quality.set_neighbours(900);
  quality.set_neighbour_products(0.25 * 900);
  quality.set_neighbours_y(800);
  quality.set_neighbour_products_y(0.75 * 800);
  const Correlation along = CorrelationOf(quality);
  EXPECT_NEAR(along.x, 0, 1e-12);
  EXPECT_NEAR(along.y, 0.5, 1e-12);
  EXPECT_EQ(along.z, 0) << "one plane has no pairs";
}

TEST(CorrelationOf, IsZeroWhereNothingVaries) {
  v1::QualityStatistics quality;
  quality.set_voxels(10);
  quality.set_residual_sum(10);
  quality.set_residual_squares(10);
  quality.set_neighbours(9);
  quality.set_neighbour_products(9);
  EXPECT_EQ(CorrelationOf(quality).x, 0);
}

}  // namespace
}  // namespace deconvoy
