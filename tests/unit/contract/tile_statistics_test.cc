#include "proto/contract/tile_statistics.h"

#include <gtest/gtest.h>

namespace deconvoy {
namespace {

v1::ResultStatistics Statistics(double minimum, double maximum, double sum) {
  v1::ResultStatistics statistics;
  statistics.set_minimum(minimum);
  statistics.set_maximum(maximum);
  statistics.set_sum(sum);
  statistics.set_clipped_voxels(3);
  statistics.set_input_sum(sum / 2);
  return statistics;
}

TEST(TileStatistics, SumsAddUpAndExtremesStay) {
  v1::ResultStatistics total;
  AddTileStatistics(Statistics(5, 7, 10), /*first=*/true, total);
  EXPECT_EQ(total.minimum(), 5);
  EXPECT_FALSE(total.has_quality()) << "nobody has told any";
  v1::ResultStatistics second = Statistics(-1, 6, 4);
  v1::QualityStatistics& quality = *second.mutable_quality();
  quality.set_voxels(8);
  quality.set_residual_sum(-2);
  quality.set_neighbours_z(5);
  quality.set_neighbour_products_z(1.5);
  quality.set_ring_voxels(2);
  AddTileStatistics(second, /*first=*/false, total);
  AddTileStatistics(second, /*first=*/false, total);
  EXPECT_EQ(total.minimum(), -1);
  EXPECT_EQ(total.maximum(), 7);
  EXPECT_EQ(total.sum(), 18);
  EXPECT_EQ(total.input_sum(), 9);
  EXPECT_EQ(total.clipped_voxels(), 9U);
  EXPECT_EQ(total.quality().voxels(), 16U);
  EXPECT_EQ(total.quality().residual_sum(), -4);
  EXPECT_EQ(total.quality().neighbours_z(), 10U);
  EXPECT_EQ(total.quality().neighbour_products_z(), 3);
  EXPECT_EQ(total.quality().ring_voxels(), 4U);
}

ObjectiveCurve Curve(uint32_t last) {
  ObjectiveCurve curve;
  for (const uint32_t iteration : {1U, last}) {
    v1::ObjectiveValue& value = *curve.Add();
    value.set_iteration(iteration);
    value.set_value(iteration);
    value.set_data_squares(2);
    value.set_primal_squares(1.0 / iteration);
  }
  return curve;
}

TEST(TileStatistics, CurvesOfTheSameIterationsAddUp) {
  ObjectiveCurve total = Curve(4);
  total[1].set_primal_squares(9);
  EXPECT_TRUE(AddTileCurve(Curve(4), total));
  ASSERT_EQ(total.size(), 2);
  EXPECT_EQ(total[0].value(), 2);
  EXPECT_EQ(total[1].value(), 8);
  EXPECT_EQ(total[1].data_squares(), 4);
  EXPECT_EQ(total[0].primal_squares(), 1);
  EXPECT_EQ(total[1].primal_squares(), 9) << "the largest of any tile";
}

TEST(TileStatistics, OtherCurvesHaveNoSum) {
  ObjectiveCurve total = Curve(4);
  EXPECT_FALSE(AddTileCurve(Curve(3), total));
  EXPECT_TRUE(total.empty());
  total = Curve(4);
  EXPECT_FALSE(AddTileCurve({}, total));
  EXPECT_TRUE(total.empty());
}

}  // namespace
}  // namespace deconvoy
