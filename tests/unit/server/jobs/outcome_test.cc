// What a job makes of what its tiles tell.
#include "server/jobs/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>
#include <vector>

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

TEST_F(OutcomeTest, OfJoinedChannelsEveryTaskIsCountedOnce) {
  v1::Method method = RlMethod();
  method.set_name("rl-views");
  method.set_joins_channels(true);
  *worker_.registration.add_methods() = method;
  ASSERT_OK(worker_.Register());
  v1::JobSpec spec = service_.Deconvolve({2, 3, 4, 8, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_method("rl-views");
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 3, 1, 1, 1}, v1::F32)));
  const std::string job = service_.Submit(spec);
  EXPECT_EQ(service_.Get(job).progress().tasks_total(), 5U) << "as preflight expects them";
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  EXPECT_EQ(service_.Get(job).progress().tasks_total(), 5U) << "two tiles of each time point";
  EXPECT_EQ(worker_.WorkOff(), 4);
  EXPECT_EQ(service_.Get(job).progress().tasks_done(), 5U);
  EXPECT_EQ(service_.Get(job).progress().fraction(), 1);
}

TEST_F(OutcomeTest, AnAnalysisThatMakesTooManyTasksFailsTheJob) {
  // Preflight does not know how much of the PSF counts: it plans with one voxel, where all of it does not fit.
  worker_.registration.set_memory_budget_bytes(3500);
  ASSERT_OK(worker_.Register());
  v1::JobSpec spec = service_.Deconvolve({4000, 1, 1, 1, 610}, {});
  spec.mutable_deconvolve()->clear_tile();
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 1, 1, 101}, v1::F32)));
  const std::string job = service_.Submit(spec);
  const v1::Task analysis = *worker_.Take();
  std::string bytes;
  ASSERT_OK(worker_.Deliver(analysis, ResultOf(analysis, &bytes, {1, 1, 37}), bytes));
  const v1::Job shown = service_.Get(job);
  EXPECT_EQ(shown.state(), v1::FAILED);
  EXPECT_EQ(shown.error().info().reason(), v1::LIMIT_EXCEEDED) << shown.error().message();
  EXPECT_EQ(shown.error().info().field(), "deconvolve.tile.core");
}

class ObjectiveTest : public OutcomeTest {
 protected:
  // The curve of a job whose tiles had these objectives and, but for the data's squares, ten times as much of
  // everything else. Of the first tile `counted` voxels count, of the others that have one, 64.
  std::vector<double> CurveOf(const std::vector<std::vector<double>>& tiles, uint64_t counted = 64) {
    const std::string job =
        service_.Submit(service_.Deconvolve({1, 1, 2, 4 * static_cast<int64_t>(tiles.size()), 4}, {2, 4, 4}));
    EXPECT_OK(worker_.Deliver(*worker_.Take()));
    for (const std::vector<double>& values : tiles) {
      const v1::Task tile = *worker_.Take();
      std::string bytes;
      v1::TaskResult result = ResultOf(tile, &bytes);
      const uint64_t voxels = values.empty() ? 0 : &values == &tiles.front() ? counted : 64;
      *result.mutable_tile()->mutable_statistics()->mutable_quality() = Quality(voxels, 0);
      for (const double value : values) {
        v1::ObjectiveValue& added = *result.mutable_tile()->add_objective();
        added.set_iteration(static_cast<uint32_t>(result.tile().objective_size()));
        added.set_value(value);
        added.set_residual_squares(10 * value);
        added.set_data_squares(100);
        added.set_primal_squares(10 * value);
        added.set_dual_squares(10 * value);
      }
      EXPECT_OK(worker_.Deliver(tile, result, bytes));
    }
    std::vector<double> curve;
    shown_ = service_.Get(job);
    for (const v1::ObjectiveValue& value : shown_.objective()) {
      EXPECT_EQ(value.iteration(), curve.size() + 1);
      curve.push_back(value.value());
    }
    return curve;
  }

  v1::Job shown_;  // the last one
};

TEST_F(ObjectiveTest, IsTheSumOverTiles) {
  EXPECT_EQ(CurveOf({{8, 4, 2}, {3, 2, 1}}), (std::vector<double>{11, 6, 3}));
  EXPECT_EQ(CurveOf({{}, {3, 2}, {}, {5, 4}}), (std::vector<double>{8, 6})) << "tiles without light";
  EXPECT_EQ(CurveOf({{8, 4}, {3, 2}}, 0), (std::vector<double>{11, 6}))
      << "a core that is masked, in a halo that is not";
  EXPECT_TRUE(CurveOf({{}, {}}).empty());
}

TEST_F(ObjectiveTest, ResidualsAddUpButForWhatIsRelative) {
  CurveOf({{8, 1}, {3, 2}, {5, 1}});
  ASSERT_EQ(shown_.objective_size(), 2);
  for (const auto& [point, sum, largest] : {std::tuple(0, 160, 80), std::tuple(1, 40, 20)}) {
    const v1::ObjectiveValue& value = shown_.objective(point);
    EXPECT_EQ(value.residual_squares(), sum);
    EXPECT_EQ(value.data_squares(), 300);
    EXPECT_EQ(value.primal_squares(), largest);
    EXPECT_EQ(value.dual_squares(), largest);
  }
}

TEST_F(ObjectiveTest, OfTilesThatDidNotIterateAlikeThereIsNone) {
  EXPECT_TRUE(CurveOf({{8, 4, 2}, {3, 2}}).empty());
  EXPECT_TRUE(CurveOf({{8, 4, 2}, {3, 2}, {8, 4, 2}}).empty()) << "nor does a part of it count";
}

// A part of the preview of a tile's output, of one number.
v1::PreviewPart PartOf(const v1::Task& tile, float value) {
  const v1::Box& box = tile.outputs(0).box();
  v1::PreviewPart part;
  part.set_y(box.y());
  part.set_x(box.x());
  part.set_size_y(box.size_y());
  part.set_size_x(box.size_x());
  for (uint32_t i = 0; i < box.size_y() * box.size_x(); ++i) part.add_maximum(value);
  return part;
}

TEST_F(OutcomeTest, ThePreviewGrowsTileByTileAndSurvivesARestart) {
  const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4}));
  EXPECT_EQ(ReasonOf(service_.jobs().GetPreview(JobService::kOwner, job, 0).status()), v1::NOT_FOUND);
  ASSERT_OK(worker_.Deliver(*worker_.Take()));
  for (const float value : {3.0F, 5.0F}) {
    const v1::Task tile = *worker_.Take();
    std::string bytes;
    v1::TaskResult result = ResultOf(tile, &bytes);
    *result.mutable_tile()->mutable_preview() = PartOf(tile, value);
    ASSERT_OK(worker_.Deliver(tile, result, bytes));
    ASSERT_OK_AND_ASSIGN(const v1::Preview preview, service_.jobs().GetPreview(JobService::kOwner, job, 0));
    EXPECT_EQ(preview.step(), 1U);
    ASSERT_EQ(preview.maximum_size(), 32);
    const int first = static_cast<int>(tile.outputs(0).box().y()) * 4;
    for (int i = first; i < first + 16; ++i) EXPECT_EQ(preview.maximum(i), value);
    EXPECT_EQ(value == 3, std::isnan(preview.maximum((first + 16) % 32))) << "the other tile";
  }
  service_.Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Preview kept, service_.jobs().GetPreview(JobService::kOwner, job, 0));
  EXPECT_EQ(*std::max_element(kept.maximum().begin(), kept.maximum().end()), 5);
  EXPECT_EQ(ReasonOf(service_.jobs().GetPreview("somebody", job, 0).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(service_.jobs().GetPreview(JobService::kOwner, job, 1).status()), v1::NOT_FOUND);
  ASSERT_OK(service_.jobs().Delete(JobService::kOwner, job));
  EXPECT_EQ(ReasonOf(service_.jobs().GetPreview(JobService::kOwner, job, 0).status()), v1::NOT_FOUND);
}

TEST(PreviewOutcomeTest, APreviewThatIsNotTheTilesIsRefused) {
  const std::vector<std::function<void(v1::PreviewPart&)>> wrongs = {
      [](auto& part) { part.set_y(part.y() + 1); },
      [](auto& part) { part.set_size_x(part.size_x() + 1); },
      [](auto& part) { part.add_maximum(1); },
      [](auto& part) { part.mutable_maximum()->RemoveLast(); },
      [](auto& part) { part.set_maximum(2, std::nanf("")); },
      [](auto& part) { part.set_size_y(1U << 31); },
      [](auto& part) { part.clear_maximum(); },
  };
  for (size_t i = 0; i < wrongs.size(); ++i) {
    JobService service;
    TestWorker worker(service, "a");
    ASSERT_OK(worker.Register());
    service.Submit(service.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4}));
    ASSERT_OK(worker.Deliver(*worker.Take()));
    const v1::Task tile = *worker.Take();
    std::string bytes;
    v1::TaskResult result = ResultOf(tile, &bytes);
    *result.mutable_tile()->mutable_preview() = PartOf(tile, 1);
    wrongs[i](*result.mutable_tile()->mutable_preview());
    EXPECT_EQ(InfoOf(worker.Deliver(tile, result, bytes)).field(), "result.tile.preview") << i;
  }
}

}  // namespace
}  // namespace deconvoy::server
