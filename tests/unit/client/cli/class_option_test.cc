#include "client/cli/options/class_option.h"

#include <gtest/gtest.h>

#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

v1::VolumeSpec Image(int64_t t, int64_t c) {
  v1::VolumeSpec image;
  *image.mutable_shape() = ToProto(Shape5{t, c, 16, 32, 64});
  return image;
}

v1::DeconvolveSpec Region(const Shape3& shape) {
  v1::DeconvolveSpec spec;
  *spec.mutable_region_origin() = ToProto(Voxel{0, 0, 0});
  *spec.mutable_region_shape() = ToProto(shape);
  return spec;
}

TEST(ClassOptionTest, ASmallRegionIsAPreview) {
  EXPECT_EQ(JobClassOf("auto", Image(1, 1), Region({16, 8, 16})), v1::INTERACTIVE) << "a sixteenth";
  EXPECT_EQ(JobClassOf("auto", Image(1, 1), Region({1, 32, 64})), v1::INTERACTIVE) << "one plane of sixteen";
  EXPECT_EQ(JobClassOf("auto", Image(1, 1), Region({16, 8, 17})), v1::NORMAL) << "more than that";
  EXPECT_EQ(JobClassOf("auto", Image(1, 1), Region({16, 32, 64})), v1::NORMAL) << "everything";
  EXPECT_EQ(JobClassOf("auto", Image(1, 1), v1::DeconvolveSpec()), v1::NORMAL) << "no region";
}

TEST(ClassOptionTest, ASmallRegionOfManyFramesIsNone) {
  EXPECT_EQ(JobClassOf("auto", Image(8, 2), Region({16, 8, 16})), v1::INTERACTIVE) << "one frame in all";
  EXPECT_EQ(JobClassOf("auto", Image(17, 1), Region({16, 8, 16})), v1::NORMAL);
  EXPECT_EQ(JobClassOf("auto", Image(17, 1), Region({8, 8, 16})), v1::INTERACTIVE);
}

TEST(ClassOptionTest, WhatIsNamedIsTaken) {
  for (const auto& spec : {v1::DeconvolveSpec(), Region({1, 1, 1})}) {
    EXPECT_EQ(JobClassOf("interactive", Image(1, 1), spec), v1::INTERACTIVE);
    EXPECT_EQ(JobClassOf("normal", Image(1, 1), spec), v1::NORMAL);
    EXPECT_EQ(JobClassOf("batch", Image(1, 1), spec), v1::BATCH);
  }
}

TEST(ClassOptionTest, IsReadWithTheCommandLine) {
  const auto parse = [](const std::string& line) {
    CLI::App verb;
    std::string name = "auto";
    AddClassOption(verb, name);
    verb.parse(line);
    return name;
  };
  EXPECT_EQ(parse(""), "auto");
  EXPECT_EQ(parse("--class batch"), "batch");
  EXPECT_THROW(parse("--class urgent"), CLI::ValidationError);
}

}  // namespace
}  // namespace deconvoy::client
