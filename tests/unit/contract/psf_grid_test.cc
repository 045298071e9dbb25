#include "proto/contract/psf_grid.h"

#include <gtest/gtest.h>

#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

TEST(PsfStepsTest, AreOneWhereSizesCountAsEqualOrAreUnknown) {
  EXPECT_TRUE(StepsOf(Size(0.3, 0.1, 0.1), Size(0.3, 0.103, 0.1)).same());
  EXPECT_TRUE(StepsOf(Size(0.3, 0.1, 0.1), Size(0, 0, 0)).same());
  EXPECT_TRUE(StepsOf(Size(0, 0, 0), Size(0.3, 0.1, 0.1)).same());
  const PsfSteps steps = StepsOf(Size(0.3, 0.1, 0.1), Size(0.2, 0.102, 0.25));
  EXPECT_DOUBLE_EQ(steps.z, 1.5);
  EXPECT_EQ(steps.y, 1);
  EXPECT_DOUBLE_EQ(steps.x, 0.4);
  EXPECT_FALSE(steps.same());
}

TEST(PsfStepsTest, KnowWhatIsTooMuch) {
  EXPECT_TRUE(StepsOf(Size(1, 0.1, 0.1), Size(0.1, 0.1, 0.25)).usable());
  EXPECT_FALSE(StepsOf(Size(1, 0.1, 0.1), Size(0.1, 0.1, 0.26)).usable());
  EXPECT_FALSE(StepsOf(Size(1.1, 0.1, 0.1), Size(0.1, 0.1, 0.1)).usable());
}

TEST(PsfStepsTest, ComeFromAReport) {
  v1::PsfReport report;
  EXPECT_TRUE(StepsOf(report).same());
  report.set_step_z(2);
  report.set_step_y(1);
  report.set_step_x(0.5);
  EXPECT_EQ(StepsOf(report).z, 2);
  EXPECT_EQ(StepsOf(report).x, 0.5);
}

TEST(PsfStepsTest, SayHowManyVoxelsThereAre) {
  const PsfSteps steps{2, 0.5, 1};
  EXPECT_EQ(MostTold({21, 21, 21}, steps), (Shape3{11, 41, 21}));
  EXPECT_EQ(MostTold({1, 1, 1}, steps), (Shape3{1, 1, 1}));
  EXPECT_EQ(PsfRoom({21, 21, 21}, steps), (Shape3{21, 41, 21}));
}

}  // namespace
}  // namespace deconvoy
