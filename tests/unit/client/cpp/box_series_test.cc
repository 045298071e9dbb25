#include "client/cpp/box_series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "proto/contract/limits.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

v1::Box Slab(uint32_t t, uint32_t c, uint32_t z, uint32_t planes = 8) {
  v1::Box box;
  box.set_t(t);
  box.set_c(c);
  box.set_z(z);
  box.set_size_z(planes);
  box.set_size_y(512);
  box.set_size_x(512);
  return box;
}

std::set<std::string> BoxesOf(const std::vector<v1::BoxSeries>& all) {
  std::set<std::string> boxes;
  for (const v1::BoxSeries& series : all) {
    v1::Box box = series.box();
    for (uint32_t i = 0; i < series.times(); ++i, box.set_t(box.t() + 1)) boxes.insert(box.SerializeAsString());
  }
  return boxes;
}

size_t BytesOf(const std::vector<v1::BoxSeries>& all) {
  v1::DeconvolveHeader header;
  header.mutable_received_series()->Assign(all.begin(), all.end());
  return header.ByteSizeLong();
}

TEST(SeriesOf, ATimeLapseTakesAsManyAsItHasSlabs) {
  std::vector<v1::Box> boxes;
  for (uint32_t t = 0; t < 20'000; ++t)
    for (const uint32_t z : {0, 8, 16}) boxes.push_back(Slab(t, 0, z));
  std::mt19937_64 random(::deconvoy::testing::Seed());
  std::shuffle(boxes.begin(), boxes.end(), random);
  const std::vector<v1::BoxSeries> all = SeriesOf(boxes, limits::kReceivedBytes);
  ASSERT_EQ(all.size(), 3U);
  for (const v1::BoxSeries& series : all) {
    EXPECT_EQ(series.box().t(), 0U);
    EXPECT_EQ(series.times(), 20'000U);
  }
  EXPECT_LT(BytesOf(all), 100U);
}

TEST(SeriesOf, NamesWhatItIsGivenAndNothingElse) {
  std::mt19937_64 random(::deconvoy::testing::Seed());
  const auto below = [&](uint32_t end) { return static_cast<uint32_t>(random() % end); };
  for (int round = 0; round < 50; ++round) {
    std::vector<v1::Box> boxes;
    std::set<std::string> given;
    for (int i = 0; i < 60; ++i) {
      boxes.push_back(Slab(below(10), below(2), 8 * below(2), 7 + below(2)));
      given.insert(boxes.back().SerializeAsString());
    }
    EXPECT_EQ(BoxesOf(SeriesOf(boxes, limits::kReceivedBytes)), given);
  }
  EXPECT_TRUE(SeriesOf({}, limits::kReceivedBytes).empty());
}

TEST(SeriesOf, KeepsWithinItsRoomTheLargestFirst) {
  std::vector<v1::Box> boxes;
  std::set<std::string> given;
  for (uint32_t i = 0; i < 60'000; ++i) boxes.push_back(Slab(2 * i, 0, 0));
  for (uint32_t t = 0; t < 100; ++t) boxes.push_back(Slab(t, 1, 0));
  for (const v1::Box& box : boxes) given.insert(box.SerializeAsString());
  const std::vector<v1::BoxSeries> all = SeriesOf(boxes, limits::kReceivedBytes);
  EXPECT_LE(BytesOf(all), limits::kReceivedBytes);
  EXPECT_GT(BytesOf(all), limits::kReceivedBytes - 100) << "as many as it can";
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0].times(), 100U);
  for (const std::string& box : BoxesOf(all)) EXPECT_TRUE(given.contains(box));
  EXPECT_TRUE(SeriesOf(boxes, 0).empty());
}

}  // namespace
}  // namespace deconvoy::client
