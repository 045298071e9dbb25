#include "client/cli/camera_offset.h"

#include <gtest/gtest.h>

namespace deconvoy::client {
namespace {

imageio::ChannelAcquisition Channel(const char* detector, double offset) {
  imageio::ChannelAcquisition channel;
  channel.detector = detector;
  channel.detector_offset = offset;
  return channel;
}

TEST(CameraOffsetTest, ThatOfACameraIsOneOfCounts) {
  for (const char* camera : {"CMOS", "EMCCD", "CCD"}) {
    const auto offset = OffsetOf({.channels = {Channel(camera, 100), Channel(camera, 100)}}, 2);
    ASSERT_TRUE(offset.has_value());
    EXPECT_EQ(offset->value, 100);
    EXPECT_TRUE(offset->counts) << camera;
  }
}

TEST(CameraOffsetTest, OthersMayBeAnything) {
  for (const char* detector : {"PMT", "", "Other"}) {
    const auto offset = OffsetOf({.channels = {Channel("CMOS", 7.5), Channel(detector, 7.5)}}, 2);
    ASSERT_TRUE(offset.has_value()) << detector;
    EXPECT_FALSE(offset->counts) << detector;
  }
}

TEST(CameraOffsetTest, ThereIsNoneWhereNotAllChannelsTellTheSame) {
  EXPECT_FALSE(OffsetOf({}, 1).has_value());
  EXPECT_FALSE(OffsetOf({.channels = {Channel("CMOS", 0)}}, 1).has_value());
  EXPECT_FALSE(OffsetOf({.channels = {Channel("PMT", -3)}}, 1).has_value());
  EXPECT_FALSE(OffsetOf({.channels = {Channel("CMOS", 100), Channel("CMOS", 101)}}, 2).has_value());
  EXPECT_FALSE(OffsetOf({.channels = {Channel("CMOS", 100)}}, 2).has_value());
}

}  // namespace
}  // namespace deconvoy::client
