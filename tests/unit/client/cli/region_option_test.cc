#include "client/cli/options/region_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/outcome.h"
#include "client/cli/spec_text.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

v1::VolumeSpec Image() {
  v1::VolumeSpec image;
  *image.mutable_shape() = ToProto(Shape5{2, 1, 30, 400, 500});
  return image;
}

absl::StatusOr<Box3> RegionOf(const std::string& text) {
  const absl::StatusOr<RegionOption> region = ParseRegion(text);
  if (!region.ok()) return region.status();
  v1::DeconvolveSpec spec;
  const absl::Status status = SetRegion(*region, Image(), spec);
  if (!status.ok()) return status;
  return Box3{ToVoxel(spec.region_origin()), ToShape3(spec.region_shape())};
}

TEST(RegionOptionTest, ReadsRangesAndLeavesWholeAxesOut) {
  EXPECT_EQ(RegionOf("1:4,10:200,0:500").value(), (Box3{{1, 10, 0}, {3, 190, 500}}));
  EXPECT_EQ(RegionOf(":,100:300,:").value(), (Box3{{0, 100, 0}, {30, 200, 500}}));
  EXPECT_EQ(RegionOf(",,").value(), (Box3{{0, 0, 0}, {30, 400, 500}}));
  EXPECT_EQ(RegionOf("5:,:7,499:").value(), (Box3{{5, 0, 499}, {25, 7, 1}}));
}

TEST(RegionOptionTest, SaysWhatItExpects) {
  for (const char* text : {"", "1:2", "1:2,3:4", "1:2,3:4,5:6,7:8", "1,2,3", "1:2:3,:,:", "a:b,:,:", "-1:4,:,:",
                           "1.5:3,:,:", " 1:2,:,:", ":4000000000,:,:", ":99999999999999999999,:,:", "+1:2,:,:"}) {
    const absl::Status status = ParseRegion(text).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("is not Z0:Z1,Y0:Y1,X0:X1")) << text;
  }
}

TEST(RegionOptionTest, RefusesWhatLiesOutsideTheImageOrIsEmpty) {
  EXPECT_THAT(std::string(RegionOf("0:31,:,:").status().message()),
              HasSubstr("planes 0:31, but the image has 30 of them"));
  EXPECT_THAT(std::string(RegionOf(":,400:,:").status().message()),
              HasSubstr("rows 400:400, but the image has 400 of them"));
  EXPECT_THAT(std::string(RegionOf(":,:,7:7").status().message()), HasSubstr("columns 7:7"));
  EXPECT_THAT(std::string(RegionOf(":,:,9:7").status().message()), HasSubstr("columns 9:7"));
}

TEST(RegionOptionTest, WithoutItEverythingIsComputed) {
  v1::DeconvolveSpec spec;
  ASSERT_OK(SetRegion(std::nullopt, Image(), spec));
  EXPECT_FALSE(spec.has_region_origin());
  EXPECT_FALSE(spec.has_region_shape());
}

TEST(RegionOptionTest, IsReadWithTheCommandLine) {
  const auto parse = [](const std::string& line) {
    CLI::App verb;
    std::optional<RegionOption> region;
    AddRegionOption(verb, region);
    verb.parse(line);
    return region;
  };
  EXPECT_FALSE(parse("").has_value());
  EXPECT_EQ(parse("--region 1:,:,:").value().z.begin, 1);
  EXPECT_THROW(parse("--region 1:2"), CLI::ValidationError);
}

TEST(RegionOptionTest, IsShownWithTheJob) {
  v1::JobSpec job;
  v1::DeconvolveSpec& spec = *job.mutable_deconvolve();
  ASSERT_OK(SetRegion(*ParseRegion("1:4,10:200,:"), Image(), spec));
  EXPECT_THAT(SpecLines(job), Contains("region: 3,190,500 voxels at 1,10,0"));
  job.mutable_deconvolve()->clear_region_shape();
  EXPECT_THAT(SpecLines(job), Not(Contains(HasSubstr("region"))));
}

}  // namespace
}  // namespace deconvoy::client
