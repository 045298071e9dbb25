#include "client/cli/run_curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "client/cli/report.h"

namespace deconvoy::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Three points; the squares of the residual fall from those of the data to a hundredth.
v1::Job Told(bool splits) {
  v1::Job job;
  job.set_name("jobs/1");
  for (int i = 0; i < 3; ++i) {
    v1::ObjectiveValue& value = *job.add_objective();
    value.set_iteration(static_cast<uint32_t>(1 + 5 * i));
    value.set_value(100.0 - 30 * i);
    value.set_data_squares(1e4);
    value.set_residual_squares(i == 0 ? 1e4 : i == 1 ? 2500 : 100);
    if (!splits) continue;
    value.set_primal_squares(i == 2 ? 1e-6 : 0.25);
    value.set_dual_squares(i == 2 ? 0 : 0.04);
  }
  return job;
}

TEST(RunCurvesTest, AreWhatTheMethodTells) {
  EXPECT_THAT(RunCurveLines(Told(false)), ElementsAre("objective: 100 after iteration 1, 40 after 11  █▄▁",
                                                      "relative residual: 1 after iteration 1, 0.1 after 11  █▄▁"));
  EXPECT_THAT(RunCurveLines(Told(true)), ElementsAre("objective: 100 after iteration 1, 40 after 11  █▄▁",
                                                     "relative residual: 1 after iteration 1, 0.1 after 11  █▄▁",
                                                     "primal residual: 0.5 after iteration 1, 0.001 after 11  ██▁",
                                                     "dual residual: 0.2 after iteration 1, 0 after 11  ██▁"));
  v1::Job without = Told(false);
  without.mutable_objective(1)->clear_data_squares();
  EXPECT_THAT(RunCurveLines(without), ElementsAre("objective: 100 after iteration 1, 40 after 11  █▄▁"));
  EXPECT_THAT(RunCurveLines({}), IsEmpty());
}

TEST(RunCurvesTest, AreAmongAJobsDetails) {
  EXPECT_THAT(JobDetails(Told(false)), Contains("relative residual: 1 after iteration 1, 0.1 after 11  █▄▁"));
}

TEST(RunCurvesTest, WhatIsRelativeIsDrawnBelowTheObjective) {
  v1::Job objective_alone = Told(false);
  for (v1::ObjectiveValue& value : *objective_alone.mutable_objective()) value.clear_data_squares();
  const Canvas one = DrawRunCurves(objective_alone), two = DrawRunCurves(Told(false)),
               split = DrawRunCurves(Told(true));
  EXPECT_EQ(two.width(), one.width());
  EXPECT_EQ(two.height(), 2 * one.height());
  EXPECT_EQ(split.height(), two.height() + 2 * kLineHeight) << "two more lines in the legend";
  const auto part = one.pixels().size();
  EXPECT_TRUE(std::equal(one.pixels().begin(), one.pixels().end(), two.pixels().begin()));
  EXPECT_LT(*std::min_element(two.pixels().begin() + static_cast<int64_t>(part), two.pixels().end()), 100);
}

}  // namespace
}  // namespace deconvoy::client
