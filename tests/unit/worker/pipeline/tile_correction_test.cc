// Tiles of an image whose camera and light are not what they should be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/unit/worker/pipeline/tile_setting.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;

// What the camera saw of a picture: each pixel and each plane less of the light above the background of 20.
struct Faults {
  std::vector<float> flat, light;
  std::vector<uint32_t> bad_pixels;

  std::vector<float> Of(const Setting& s, std::vector<float> picture) const {
    const auto plane = static_cast<size_t>(s.frame.y * s.frame.x);
    for (size_t i = 0; i < picture.size(); ++i) {
      float& v = picture[i];
      v = 20 + (v - 20) * light[i / plane];
      v *= flat[i % plane];
    }
    for (const uint32_t pixel : bad_pixels) {
      for (size_t z = 0; z < static_cast<size_t>(s.frame.z); ++z) picture[z * plane + pixel] = 3000;
    }
    return picture;
  }
  void Tell(const Setting& s, MemoryTask& task) const {
    v1::TileTask& tile = *task.task.mutable_tile();
    task.AddInput("volumes/flat", {1, 1, 1, s.frame.y, s.frame.x}, flat);
    tile.mutable_spec()->set_flat_field_volume("volumes/flat");
    v1::ChannelFacts& channel = *tile.add_channels();
    channel.set_gain_photons_per_count(s.gain);
    channel.set_flat_field_mean(1);
    channel.set_flat_field_maximum(*std::max_element(flat.begin(), flat.end()));
    channel.mutable_bad_pixels()->Assign(bad_pixels.begin(), bad_pixels.end());
    for (const float s_of_plane : light) tile.mutable_frames(0)->add_plane_light(s_of_plane);
  }
};

Faults SomeFaults(const Setting& s) {
  Faults faults;
  for (int64_t i = 0; i < s.frame.y * s.frame.x; ++i) faults.flat.push_back(i % 3 == 0 ? 0.6F : 1.2F);
  for (int64_t z = 0; z < s.frame.z; ++z) faults.light.push_back(1 - 0.07F * static_cast<float>(z));
  return faults;
}

class CorrectedTile : public Tile, public ::testing::WithParamInterface<v1::Boundary> {};

TEST_P(CorrectedTile, ADeltaPsfReturnsTheLight) {
  Setting s;
  s.boundary = GetParam();
  s.background = 20;
  s.parameters["iterations"] = "60";
  const Faults faults = SomeFaults(s);
  const std::vector<float> picture = Picture(s.frame);
  MemoryTask task;
  Fill(s, faults.Of(s, picture), task);
  faults.Tell(s, task);
  task.task.mutable_tile()->mutable_frames(0)->set_mean(Mean(picture));
  ASSERT_OK(Run(task));
  std::vector<float> expected = picture;
  for (float& v : expected) v = std::max(v - 20, 0.0F);
  ExpectNear(FromBytes<float>(task.output), expected, 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Boundaries, CorrectedTile, ::testing::Values(v1::EXTEND, v1::MIRROR, v1::PERIODIC));

TEST_F(Tile, TwoTilesOfFaultyLightAgreeWithOne) {
  Setting s;
  s.frame = {8, 12, 40};
  s.psf = Skewed();
  s.background = 20;
  s.core = s.loaded = {{}, s.frame};
  s.parameters["iterations"] = "10";
  Faults faults = SomeFaults(s);
  faults.bad_pixels = {5 * 40 + 25, 6 * 40 + 3};
  const std::vector<float> picture = Picture(s.frame), raw = faults.Of(s, picture);
  const auto estimate = [&] {
    MemoryTask task;
    Fill(s, raw, task);
    faults.Tell(s, task);
    task.task.mutable_tile()->mutable_frames(0)->set_mean(Mean(picture));
    EXPECT_OK(Run(task));
    return FromBytes<float>(task.output);
  };
  const std::vector<float> whole = estimate();
  EXPECT_LT(*std::max_element(whole.begin(), whole.end()), 400) << "a bad pixel shows";
  s.core = {{0, 0, 20}, {8, 12, 20}};
  s.loaded = {{0, 0, 8}, {8, 12, 32}};
  const std::vector<float> half = estimate();
  double worst = 0;
  for (size_t i = 0; i < half.size(); ++i) {
    worst =
        std::max(worst, std::abs(static_cast<double>(half[i]) - static_cast<double>(whole[i / 20 * 40 + 20 + i % 20])));
  }
  EXPECT_LT(worst, 1e-3 * *std::max_element(whole.begin(), whole.end()));
}

// The same noise on planes of different backgrounds: nothing of them is left.
TEST_F(Tile, BackgroundsOfPlanesLeaveNoTrace) {
  Setting s;
  s.psf = Skewed();
  s.background = 30;
  s.core = s.loaded = {{}, s.frame};
  s.parameters["iterations"] = "10";
  const std::vector<float> even = Picture(s.frame);
  std::vector<float> uneven = even;
  const auto plane = static_cast<size_t>(s.frame.y * s.frame.x);
  for (size_t i = 0; i < uneven.size(); ++i) uneven[i] -= 2 * static_cast<float>(i / plane);
  const auto estimate = [&](const std::vector<float>& raw, bool planes) {
    MemoryTask task;
    Fill(s, raw, task);
    v1::FrameStatistics& frame = *task.task.mutable_tile()->mutable_frames(0);
    frame.set_mean(Mean(even));
    for (int64_t z = 0; planes && z < s.frame.z; ++z) {
      frame.add_plane_background(static_cast<float>(30 - 2 * z));
    }
    EXPECT_OK(Run(task));
    return FromBytes<float>(task.output);
  };
  const std::vector<float> expected = estimate(even, false);
  ExpectNear(estimate(uneven, true), expected, 1e-4);
  const std::vector<float> left = estimate(uneven, false);
  double squares = 0, all = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    squares += std::pow(left[i] - expected[i], 2);
    all += std::pow(expected[i], 2);
  }
  EXPECT_GT(squares, 1e-4 * all) << "the test can fail";
}

TEST_F(Tile, GainAndReadNoiseAreThoseOfTheChannel) {
  Setting s;
  s.offset = 20;
  const std::vector<float> raw = Picture(s.frame);
  MemoryTask task;
  Fill(s, raw, task);
  v1::ChannelFacts& channel = *task.task.mutable_tile()->add_channels();
  channel.set_gain_photons_per_count(4);
  channel.set_read_noise_photons(3);
  task.task.mutable_tile()->mutable_frames(0)->set_mean((Mean(raw) - 20) * 4 + 9);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  std::vector<float> expected = raw;
  for (float& v : expected) v -= 20;
  const std::vector<float> found = FromBytes<float>(task.output);
  EXPECT_NEAR(Mean(found), Mean(expected), 0.02 * Mean(expected));
  EXPECT_NEAR(result.tile().statistics().input_sum() / static_cast<double>(raw.size()), Mean(expected), 0.01);
}

}  // namespace
}  // namespace deconvoy::worker
