// What a job makes of what its tiles tell.
#include "server/jobs/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class OutcomeTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(worker_.Register()); }
  JobService service_;
  TestWorker worker_{service_, "a"};
};

// Statistics of one tile; `bias` per voxel.
v1::QualityStatistics Quality(uint64_t voxels, double bias) {
  v1::QualityStatistics quality;
  const auto n = static_cast<double>(voxels);
  quality.set_voxels(voxels);
  quality.set_residual_sum(bias * n);
  quality.set_residual_squares((1 + bias * bias) * n);
  quality.set_neighbours(voxels / 2);
  quality.set_neighbour_products(bias * bias * n / 2);
  quality.set_flat_voxels(64);
  quality.set_flat_squares_before(100);
  quality.set_flat_squares_after(50);
  quality.set_faint_voxels(128);
  quality.set_faint_light_before(30);
  quality.set_faint_light_after(20);
  quality.set_ring_voxels(2);
  return quality;
}

TEST_F(OutcomeTest, QualityIsThatOfAllTilesAndItsFindingsAreTheJobs) {
  const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4}));
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  for (const double bias : {-0.5, -1.5}) {
    const v1::Task tile = *worker_.Take();
    std::string bytes;
    v1::TaskResult result = ResultOf(tile, &bytes);
    *result.mutable_tile()->mutable_statistics()->mutable_quality() = Quality(50'000, bias);
    ASSERT_OK(worker_.Deliver(tile, result, bytes));
  }
  const v1::Job shown = service_.Get(job);
  v1::QualityStatistics expected = Quality(100'000, -1);
  expected.set_residual_squares(50'000 * (1.25 + 3.25));
  expected.set_neighbour_products(25'000 * (0.25 + 2.25));
  expected.set_flat_voxels(128);
  expected.set_flat_squares_before(200);
  expected.set_flat_squares_after(100);
  expected.set_faint_voxels(256);
  expected.set_faint_light_before(60);
  expected.set_faint_light_after(40);
  expected.set_ring_voxels(4);
  EXPECT_EQ(shown.result().quality().DebugString(), expected.DebugString());
  EXPECT_EQ(shown.state(), v1::SUCCEEDED);
  EXPECT_THAT(shown.findings(shown.findings_size() - 1).message(), HasSubstr("mean is -1.00"));
}

class ObjectiveTest : public OutcomeTest {
 protected:
  // The curve of a job whose two tiles had these.
  std::vector<double> CurveOf(const std::vector<std::vector<double>>& tiles) {
    const std::string job =
        service_.Submit(service_.Deconvolve({1, 1, 2, 4 * static_cast<int64_t>(tiles.size()), 4}, {2, 4, 4}));
    EXPECT_OK(worker_.Deliver(*worker_.Take()));
    for (const std::vector<double>& values : tiles) {
      const v1::Task tile = *worker_.Take();
      std::string bytes;
      v1::TaskResult result = ResultOf(tile, &bytes);
      *result.mutable_tile()->mutable_statistics()->mutable_quality() = Quality(values.empty() ? 0 : 64, 0);
      for (const double value : values) {
        v1::ObjectiveValue& added = *result.mutable_tile()->add_objective();
        added.set_iteration(static_cast<uint32_t>(result.tile().objective_size()));
        added.set_value(value);
      }
      EXPECT_OK(worker_.Deliver(tile, result, bytes));
    }
    std::vector<double> curve;
    const v1::Job shown = service_.Get(job);
    for (const v1::ObjectiveValue& value : shown.objective()) {
      EXPECT_EQ(value.iteration(), curve.size() + 1);
      curve.push_back(value.value());
    }
    return curve;
  }
};

TEST_F(ObjectiveTest, IsTheSumOverTiles) {
  EXPECT_EQ(CurveOf({{8, 4, 2}, {3, 2, 1}}), (std::vector<double>{11, 6, 3}));
  EXPECT_EQ(CurveOf({{}, {3, 2}, {}, {5, 4}}), (std::vector<double>{8, 6})) << "tiles without light";
  EXPECT_TRUE(CurveOf({{}, {}}).empty());
}

TEST_F(ObjectiveTest, OfTilesThatDidNotIterateAlikeThereIsNone) {
  EXPECT_TRUE(CurveOf({{8, 4, 2}, {3, 2}}).empty());
  EXPECT_TRUE(CurveOf({{8, 4, 2}, {3, 2}, {8, 4, 2}}).empty()) << "nor does a part of it count";
}

}  // namespace
}  // namespace deconvoy::server
