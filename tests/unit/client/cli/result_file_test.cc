#include "client/cli/result_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

class ResultFileTest : public ::testing::Test {
 protected:
  static constexpr Shape5 kShape{2, 2, 3, 6, 8};

  void SetUp() override {
    *spec_.mutable_shape() = ToProto(kShape);
    spec_.set_type(v1::U16);
    for (int64_t i = 0; i < kShape.voxels(); ++i) voxels_.push_back(static_cast<uint16_t>(i));
  }

  // Tiles of 2 x 3 x 8, and of what is left.
  static std::vector<FrameBox> Boxes() {
    std::vector<FrameBox> boxes;
    for (int64_t t = 0; t < 2; ++t)
      for (int64_t c = 0; c < 2; ++c)
        for (int64_t z = 0; z < 3; z += 2)
          for (int64_t y = 0; y < 6; y += 3) boxes.push_back({t, c, {{z, y, 0}, {std::min<int64_t>(2, 3 - z), 3, 8}}});
    return boxes;
  }

  absl::Status Put(ResultFile& file, const FrameBox& box) const {
    std::vector<uint16_t> part(static_cast<size_t>(box.box.shape.voxels()));
    const Box3 frame{{}, kShape.frame()};
    const auto* source = voxels_.data() + (box.t * kShape.c + box.c) * frame.shape.voxels();
    CopyBox(reinterpret_cast<const std::byte*>(source), frame, reinterpret_cast<std::byte*>(part.data()), box.box, 2);
    return file.Put(box, std::as_bytes(std::span(part)));
  }

  size_t FilesThere() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  ::deconvoy::testing::TemporaryFolder folder_;
  v1::VolumeSpec spec_;
  std::vector<uint16_t> voxels_;
};

TEST_F(ResultFileTest, BoxesInAnyOrderAndTwiceMakeTheImage) {
  std::mt19937_64 random(::deconvoy::testing::Seed());
  std::vector<FrameBox> boxes = Boxes();
  boxes.insert(boxes.end(), boxes.begin(), boxes.begin() + 5);
  std::shuffle(boxes.begin(), boxes.end(), random);
  const auto path = folder_.path() / "out.ome.tif";
  ASSERT_OK_AND_ASSIGN(const auto file, ResultFile::Create(path, spec_, {}));
  for (const FrameBox& box : boxes) {
    EXPECT_FALSE(std::filesystem::exists(path));
    ASSERT_OK(Put(*file, box));
  }
  EXPECT_TRUE(file->complete());
  EXPECT_EQ(file->fraction(), 1.0);
  ASSERT_OK(file->Finish());
  ASSERT_OK_AND_ASSIGN(const auto image, imageio::OpenImage(path));
  std::vector<uint16_t> plane(48);
  int64_t place = 0;
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t z = 0; z < 3; ++z) {
        ASSERT_OK(image->ReadPlane(t, c, z, std::as_writable_bytes(std::span(plane))));
        EXPECT_TRUE(std::equal(plane.begin(), plane.end(), voxels_.begin() + 48 * place++)) << t << c << z;
      }
}

TEST_F(ResultFileTest, WhatIsNotWholeLeavesNothing) {
  {
    ASSERT_OK_AND_ASSIGN(const auto file, ResultFile::Create(folder_.path() / "out.tif", spec_, {}));
    ASSERT_OK(Put(*file, Boxes().front()));
    EXPECT_FALSE(file->complete());
    EXPECT_FALSE(file->Finish().ok());
  }
  EXPECT_EQ(FilesThere(), 0u);
}

TEST_F(ResultFileTest, ABoxOutsideIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto file, ResultFile::Create(folder_.path() / "out.tif", spec_, {}));
  EXPECT_TRUE(absl::IsInvalidArgument(file->Put({0, 2, {{}, {1, 6, 8}}}, std::vector<std::byte>(96))));
}

}  // namespace
}  // namespace deconvoy::client
