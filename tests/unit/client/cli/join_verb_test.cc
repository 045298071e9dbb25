// deconvoy join, as a whole command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;

// Planes count from 1 in every stack.
TEST_F(ProgramTest, JoinMakesStacksChannels) {
  Save("left.tif", {2, 1, 3, 4, 5}, v1::F32);
  Save("both.tif", {2, 2, 3, 4, 5}, v1::F32);
  const Result result = Run({"join", File("left.tif"), File("both.tif"), "-o", File("views.ome.tif"), "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out.substr(result.out.rfind('{')))["channels"], 3);
  ASSERT_OK_AND_ASSIGN(const auto reader, imageio::OpenImage(File("views.ome.tif")));
  const v1::VolumeSpec& spec = reader->spec();
  EXPECT_EQ(spec.shape().c(), 3U);
  EXPECT_EQ(spec.shape().t(), 2U);
  EXPECT_NEAR(spec.voxel_size().z_um(), 0.2, 1e-6);
  ASSERT_EQ(spec.channels_size(), 3);
  EXPECT_EQ(spec.channels(0).name(), "left");
  EXPECT_EQ(spec.channels(2).name(), "both");
  const auto first = [&](int64_t t, int64_t c, int64_t z) {
    std::vector<float> plane(20);
    EXPECT_OK(reader->ReadPlane(t, c, z, std::as_writable_bytes(std::span(plane))));
    return plane[0];
  };
  EXPECT_EQ(first(1, 0, 2), 6);  // t,c,z order: 3 planes of the first time point, and then the third
  EXPECT_EQ(first(1, 1, 0), 7);  // of both: 2 x 3 planes of the first time point
  EXPECT_EQ(first(1, 2, 2), 12);
}

TEST_F(ProgramTest, JoinPadsAboutTheCentres) {
  Save("wide.tif", {1, 1, 1, 3, 6}, v1::F32);
  Save("deep.tif", {1, 1, 3, 2, 2}, v1::F32);
  ASSERT_EQ(Run({"join", File("wide.tif"), File("deep.tif"), "--pad", "-o", File("psfs.tif")}).code, 0);
  ASSERT_OK_AND_ASSIGN(const auto reader, imageio::OpenImage(File("psfs.tif")));
  const v1::Shape5& shape = reader->spec().shape();
  EXPECT_EQ(std::vector<uint32_t>({shape.c(), shape.z(), shape.y(), shape.x()}), std::vector<uint32_t>({2, 3, 3, 6}));
  const auto plane = [&](int64_t c, int64_t z) {
    std::vector<float> values(18);
    EXPECT_OK(reader->ReadPlane(0, c, z, std::as_writable_bytes(std::span(values))));
    return values;
  };
  EXPECT_EQ(plane(0, 0), std::vector<float>(18, 0));
  EXPECT_EQ(plane(0, 1), std::vector<float>(18, 1));
  EXPECT_EQ(plane(1, 0), std::vector<float>({0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_F(ProgramTest, JoinSaysWhatDoesNotGoTogether) {
  Save("small.tif", {1, 1, 3, 8, 8}, v1::F32);
  const Result result = Run({"join", File("raw.tif"), File("small.tif"), "-o", File("views.tif")});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("small.tif: 3 x 8 x 8 f32, but raw.tif has 2 x 3 x 8 x 9 f32"));
  Save("u16.tif", {1, 1, 3, 8, 9}, v1::U16);
  EXPECT_EQ(Run({"join", File("raw.tif"), File("u16.tif"), "-o", File("views.tif")}).code, 3);
  EXPECT_EQ(Run({"join", File("raw.tif"), File("raw.tif"), "-o", File("raw.tif")}).code, 2) << "onto itself";
  EXPECT_EQ(Run({"join", File("raw.tif"), "-o", File("views.tif")}).code, 2) << "one alone";
  EXPECT_EQ(Run({"join", File("raw.tif"), File("none.tif"), "-o", File("views.tif")}).code, 3);
  EXPECT_FALSE(std::filesystem::exists(File("views.tif")));
}

}  // namespace
}  // namespace deconvoy::client
