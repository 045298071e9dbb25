#include "client/imageio/imagej.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace deconvoy::imageio {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ImageJ, OtherDescriptionsAreNone) {
  EXPECT_FALSE(ParseImageJ("").has_value());
  EXPECT_FALSE(ParseImageJ("images=3\n").has_value());
  EXPECT_FALSE(ParseImageJ("<OME/>").has_value());
}

TEST(ImageJ, LinesAreReadAndOthersIgnored) {
  const auto text = ParseImageJ(
      "ImageJ=1.53t\r\nimages=24\r\nchannels=2\nslices=4\nframes=3\nspacing=0.25\nunit=\\u00B5m\nnonsense\nmin=0.0");
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->images, 24);
  EXPECT_EQ(text->channels, 2);
  EXPECT_EQ(text->slices, 4);
  EXPECT_EQ(text->frames, 3);
  EXPECT_EQ(text->spacing, 0.25);
  EXPECT_EQ(text->unit, "\\u00B5m");
}

TEST(ImageJ, NumbersThatAreNoneAreZero) {
  const auto text = ParseImageJ("ImageJ=\nimages=-3\nchannels=99999999999999999999\nslices=x\nspacing=nan\n");
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->images, 0);
  EXPECT_EQ(text->channels, 0);
  EXPECT_EQ(text->slices, 0);
  EXPECT_EQ(text->spacing, 0);
}

TEST(ImageJ, WhatIsWritten) {
  v1::VolumeSpec spec;
  spec.mutable_shape()->set_t(1);
  spec.mutable_shape()->set_c(1);
  spec.mutable_shape()->set_z(9);
  EXPECT_EQ(FormatImageJ(spec), "ImageJ=1.53t\nimages=9\nslices=9\nloop=false\n");
  spec.mutable_voxel_size()->set_z_um(0.2);
  EXPECT_THAT(FormatImageJ(spec), Not(HasSubstr("spacing")));
  spec.mutable_voxel_size()->set_x_um(0.1);
  spec.mutable_voxel_size()->set_y_um(0.1);
  EXPECT_THAT(FormatImageJ(spec), HasSubstr("unit=micron\nspacing=0.2\n"));
  spec.mutable_shape()->set_c(3);
  spec.mutable_shape()->set_t(2);
  EXPECT_THAT(FormatImageJ(spec),
              HasSubstr("images=54\nchannels=3\nslices=9\nframes=2\nhyperstack=true\nmode=composite\n"));
  spec.mutable_shape()->set_c(8);
  EXPECT_THAT(FormatImageJ(spec), HasSubstr("mode=grayscale\n"));
}

TEST(ImageJ, TheRangeToShowIsThatOfOneChannel) {
  v1::VolumeSpec spec;
  spec.mutable_shape()->set_t(1);
  spec.mutable_shape()->set_c(1);
  spec.mutable_shape()->set_z(2);
  EXPECT_EQ(FormatImageJ(spec, DisplayRange{0.25, 812.5}),
            "ImageJ=1.53t\nimages=2\nslices=2\nloop=false\nmin=0.25\nmax=812.5\n");
  EXPECT_THAT(FormatImageJ(spec, DisplayRange{7, 7}), Not(HasSubstr("min="))) << "a range of nothing shows nothing";
  spec.mutable_shape()->set_c(2);
  EXPECT_THAT(FormatImageJ(spec, DisplayRange{0.25, 812.5}), Not(HasSubstr("min=")));
}

TEST(ImageJLabels, RoundTrip) {
  const std::vector<std::string> labels{"DAPI", "", "\xce\xb1-tubulin \xf0\x9f\x94\xac"};
  const ImageJMetadata metadata = EncodeLabels(labels);
  EXPECT_THAT(metadata.counts, ElementsAre(12, 8, 0, 24));
  EXPECT_EQ(DecodeLabels(metadata.counts, metadata.bytes, false), labels);
}

TEST(ImageJLabels, BigEndianBesideOtherParts) {
  const auto bytes = [](const std::string& text) {
    std::vector<std::byte> result(text.size());
    std::transform(text.begin(), text.end(), result.begin(), [](char c) { return static_cast<std::byte>(c); });
    return result;
  };
  // Two parts of another kind, then two labels.
  const std::string header = std::string("IJIJ") + std::string("rang\0\0\0\2", 8) + std::string("labl\0\0\0\2", 8);
  const std::string body = std::string("1234") + "56" + std::string("\0A\0B", 4) + std::string("\0C", 2);
  const std::vector<uint32_t> counts{20, 4, 2, 4, 2};
  EXPECT_THAT(DecodeLabels(counts, bytes(header + body), true), ElementsAre("AB", "C"));
}

TEST(ImageJLabels, NonsenseIsNoLabels) {
  const ImageJMetadata good = EncodeLabels({"a", "b"});
  EXPECT_THAT(DecodeLabels({}, good.bytes, false), IsEmpty());
  EXPECT_THAT(DecodeLabels(good.counts, {}, false), IsEmpty());
  EXPECT_THAT(DecodeLabels(good.counts, good.bytes, true), IsEmpty());
  for (size_t i = 0; i < good.counts.size(); ++i) {
    std::vector<uint32_t> counts = good.counts;
    counts[i] = 0xffffffff;
    EXPECT_THAT(DecodeLabels(counts, good.bytes, false), IsEmpty()) << i;
  }
  std::vector<std::byte> many = good.bytes;
  many[11] = std::byte{0x7f};  // number of labels
  EXPECT_THAT(DecodeLabels(good.counts, many, false), IsEmpty());
}

}  // namespace
}  // namespace deconvoy::imageio
