#include "client/cli/values.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

TEST(ValuesTest, VoxelsAreThreeWholeNumbers) {
  ASSERT_OK_AND_ASSIGN(const Voxel voxel, ParseVoxel("32,96,0", 0));
  EXPECT_EQ(voxel, (Voxel{32, 96, 0}));
  for (const char* text :
       {"", "1", "1,2", "1,2,3,4", "1,2,x", "1,2,3.5", "1, 2,3", "1,2,", "1,2,-3", "1,2,99999999999"})
    EXPECT_FALSE(ParseVoxel(text, 0).ok()) << text;
  EXPECT_FALSE(ParseVoxel("1,2,0", 1).ok());
}

TEST(ValuesTest, VoxelSizesArePositiveLengths) {
  ASSERT_OK_AND_ASSIGN(const v1::VoxelSize size, ParseVoxelSize("0.3,0.1,1e-1"));
  EXPECT_EQ(size.z_um(), 0.3);
  EXPECT_EQ(size.y_um(), 0.1);
  EXPECT_EQ(size.x_um(), 0.1);
  for (const char* text : {"", "0.3", "0.3,0.1", "0.3,0.1,0", "0.3,0.1,-1", "0.3,0.1,nan", "0.3,0.1,inf", "a,b,c"})
    EXPECT_FALSE(ParseVoxelSize(text).ok()) << text;
}

TEST(ValuesTest, NumbersAreFinite) {
  EXPECT_EQ(*ParseNumber("-1.5"), -1.5);
  EXPECT_EQ(*ParseNumber("2e3"), 2000);
  for (const char* text : {"", "1x", "nan", "inf", "1e999", " 1"}) EXPECT_FALSE(ParseNumber(text).ok()) << text;
}

TEST(ValuesTest, AssignmentsSplitAtTheFirstEqualsSign) {
  const auto parse = [](const std::vector<std::string>& texts) {
    return ParseAssignments(texts, "--opt", "Give x=1.");
  };
  ASSERT_OK_AND_ASSIGN(const auto values, parse({"a=1", "b=x=y", "c="}));
  EXPECT_EQ(values, (std::map<std::string, std::string>{{"a", "1"}, {"b", "x=y"}, {"c", ""}}));
  EXPECT_FALSE(parse({"=1"}).ok());
  EXPECT_FALSE(parse({"a=1", "a=1"}).ok());
  const absl::Status error = parse({"a"}).status();
  EXPECT_EQ(error.message(), "--opt 'a' is not key=value");
  EXPECT_EQ(InfoOf(error).remedy(), "Give x=1.");
}

TEST(ValuesTest, BytesForPeople) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(999), "999 B");
  EXPECT_EQ(BytesText(1000), "1.00 kB");
  EXPECT_EQ(BytesText(12345), "12.3 kB");
  EXPECT_EQ(BytesText(999'600), "1.00 MB");
  EXPECT_EQ(BytesText(4.25e9), "4.25 GB");
  EXPECT_EQ(BytesText(314e12), "314 TB");
}

TEST(ValuesTest, DurationsForPeople) {
  EXPECT_EQ(DurationText(-3), "0:00");
  EXPECT_EQ(DurationText(0.4), "0:00");
  EXPECT_EQ(DurationText(59.6), "1:00");
  EXPECT_EQ(DurationText(725), "12:05");
  EXPECT_EQ(DurationText(3600 * 3 + 61), "3:01:01");
}

}  // namespace
}  // namespace deconvoy::client
