#include "server/jobs/job_plan.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

JobPlan SomePlan() {
  JobPlan plan;
  plan.tiles = {.core = {1, 2, 3},
                .halo = {4, 5, 6},
                .padded = {7, 8, 9},
                .grid = {10, 11, 12},
                .memory_bytes = int64_t{1} << 40};
  plan.analysis.add_psfs()->set_energy(0.999);
  plan.analysis.add_frames()->set_mean(-1.5);
  for (const char* value : {"3", "5"}) plan.samples.emplace_back().set_value(value);
  plan.calibrations.emplace_back().set_criterion("a test");
  plan.psf_estimates.emplace_back().set_t(7);
  return plan;
}

TEST(JobPlanTest, SurvivesTheStore) {
  const JobPlan plan = SomePlan();
  ASSERT_OK_AND_ASSIGN(const JobPlan read, DecodePlan(EncodePlan(plan)));
  EXPECT_EQ(read.tiles.core, plan.tiles.core);
  EXPECT_EQ(read.tiles.halo, plan.tiles.halo);
  EXPECT_EQ(read.tiles.padded, plan.tiles.padded);
  EXPECT_EQ(read.tiles.grid, plan.tiles.grid);
  EXPECT_EQ(read.tiles.memory_bytes, plan.tiles.memory_bytes);
  EXPECT_EQ(read.analysis.SerializeAsString(), plan.analysis.SerializeAsString());
  ASSERT_EQ(read.samples.size(), 2U);
  EXPECT_EQ(read.samples[1].value(), "5");
  ASSERT_EQ(read.calibrations.size(), 1U);
  EXPECT_EQ(read.calibrations[0].criterion(), "a test");
  ASSERT_EQ(read.psf_estimates.size(), 1U);
  EXPECT_EQ(read.psf_estimates[0].t(), 7U);
}

TEST(JobPlanTest, EveryTruncationIsRefused) {
  const std::string bytes = EncodePlan(SomePlan());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ReasonOf(DecodePlan(bytes.substr(0, size)).status()), v1::STORAGE_FAILURE) << size;
  }
}

}  // namespace
}  // namespace deconvoy::server
