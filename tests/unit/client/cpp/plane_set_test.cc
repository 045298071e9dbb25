#include "client/cpp/plane_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

TEST(PlaneSet, IsWhatASetIs) {
  std::mt19937_64 random(::deconvoy::testing::Seed());
  for (int round = 0; round < 50; ++round) {
    PlaneSet planes;
    std::set<int64_t> expected;
    for (int i = 0; i < 60; ++i) {
      const auto plane = static_cast<int64_t>(random() % 40);
      EXPECT_EQ(planes.Add(plane), expected.insert(plane).second);
    }
    int64_t absent = 0;
    while (expected.contains(absent)) ++absent;
    EXPECT_EQ(planes.FirstAbsent(), absent);
    EXPECT_EQ(planes.size(), static_cast<int64_t>(expected.size()));
    for (int64_t plane = 0; plane < 42; ++plane) EXPECT_EQ(planes.Contains(plane), expected.contains(plane)) << plane;
  }
}

TEST(PlaneSet, NeighboursAreOneRun) {
  PlaneSet planes;
  for (const int64_t plane : {4, 2, 3, 0}) planes.Add(plane);
  std::vector<std::pair<int64_t, int64_t>> runs;
  planes.ForEachRun([&](int64_t first, int64_t end) { runs.emplace_back(first, end); });
  const std::vector<std::pair<int64_t, int64_t>> expected = {{0, 1}, {2, 5}};
  EXPECT_EQ(runs, expected);
}

}  // namespace
}  // namespace deconvoy::client
