#include "worker/imaging/bad_pixels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/unit/worker/imaging/planted.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

using testing::BlurredSpecimen;
using testing::Recorded;

constexpr int64_t kPlanes = 16, kExtent = 256;
constexpr Shape3 kShape{kPlanes, kExtent, kExtent};
constexpr auto kPixels = static_cast<size_t>(kExtent * kExtent);

const Camera kCamera{.scale = {.offset_counts = 100, .gain = 0.5, .read_noise = 2},
                     .background_photons = 10,
                     .type = v1::U16,
                     .seed = 5};

std::vector<float> Stack(v1::SpecimenKind kind, uint64_t seed) {
  Camera camera = kCamera;
  camera.seed = seed;
  return Recorded(camera, BlurredSpecimen(kShape, seed, 300, kind));
}

// 1 in 500 pixels gets 100 to 2000 counts more: the noise of the dark parts is 7.5 counts, of the brightest 36.
std::set<uint32_t> PlantHot(uint64_t seed, std::vector<float>& counts) {
  std::set<uint32_t> hot;
  Random random(seed);
  while (hot.size() < kPixels / 500) {
    const auto pixel = static_cast<uint32_t>(random.Below(static_cast<int64_t>(kPixels)));
    if (!hot.insert(pixel).second) continue;
    const double excess = 100 * std::pow(20, random.Uniform());
    for (int64_t z = 0; z < kPlanes; ++z)
      counts[static_cast<size_t>(z) * kPixels + pixel] += static_cast<float>(excess);
  }
  return hot;
}

size_t Found(const std::set<uint32_t>& planted, const std::vector<uint32_t>& found) {
  return static_cast<size_t>(
      std::count_if(found.begin(), found.end(), [&](uint32_t p) { return planted.contains(p); }));
}

TEST(BadPixelsTest, FindsHotPixelsAndNoOthers) {
  size_t planted = 0, right = 0, wrong = 0, pixels = 0;
  for (const v1::SpecimenKind kind : {v1::MIXED, v1::NUCLEI, v1::FILAMENTS, v1::BEADS}) {
    for (const uint64_t seed : {1, 2, 3}) {
      std::vector<float> counts = Stack(kind, seed);
      const std::set<uint32_t> hot = PlantHot(seed + 100, counts);
      const std::vector<uint32_t> found = FindBadPixels(counts, kPlanes, kExtent);
      EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
      planted += hot.size();
      right += Found(hot, found);
      wrong += found.size() - Found(hot, found);
      pixels += kPixels;
    }
  }
  RecordProperty("found", std::to_string(right) + " of " + std::to_string(planted));
  RecordProperty("wrong", std::to_string(wrong) + " of " + std::to_string(pixels));
  EXPECT_GE(static_cast<double>(right), 0.99 * static_cast<double>(planted)) << right << " of " << planted;
  EXPECT_LT(static_cast<double>(wrong), 1e-5 * static_cast<double>(pixels)) << wrong;
}

TEST(BadPixelsTest, CleanStacksHaveNone) {
  for (const v1::SpecimenKind kind : {v1::MIXED, v1::NUCLEI, v1::FILAMENTS, v1::BEADS, v1::SHELLS, v1::POINTS}) {
    for (const uint64_t seed : {11, 12})
      EXPECT_TRUE(FindBadPixels(Stack(kind, seed), kPlanes, kExtent).empty()) << kind;
  }
}

TEST(BadPixelsTest, FindsDeadPixelsWhereThereIsLight) {
  std::vector<float> counts = Stack(v1::MIXED, 21);
  for (size_t i = 0; i < kPixels * kPlanes; ++i) counts[i] += 200;  // a haze
  std::set<uint32_t> dead;
  Random random(22);
  while (dead.size() < 100) dead.insert(static_cast<uint32_t>(random.Below(static_cast<int64_t>(kPixels))));
  for (const uint32_t pixel : dead) {
    for (int64_t z = 0; z < kPlanes; ++z) counts[static_cast<size_t>(z) * kPixels + pixel] = 100;
  }
  const std::vector<uint32_t> found = FindBadPixels(counts, kPlanes, kExtent);
  EXPECT_GE(Found(dead, found), 99U);
  EXPECT_LE(found.size(), dead.size());
}

TEST(BadPixelsTest, WhatShowsInSomePlanesOrBesideOthersIsStructure) {
  std::vector<float> counts = Stack(v1::NUCLEI, 31);
  const auto add = [&](int64_t y, int64_t x, int64_t planes, float light) {
    for (int64_t z = 0; z < planes; ++z) counts[static_cast<size_t>((z * kExtent + y) * kExtent + x)] += light;
  };
  add(40, 50, kPlanes / 2, 900);  // one pixel, in half of the planes
  for (int64_t y = -2; y <= 2; ++y) {
    for (int64_t x = -2; x <= 2; ++x) {
      // a point two pixels wide, in all planes
      add(90 + y, 90 + x, kPlanes, 900 * std::exp2(-static_cast<float>(y * y + x * x)));
    }
  }
  EXPECT_TRUE(FindBadPixels(counts, kPlanes, kExtent).empty());
  add(200, 210, kPlanes, 900);
  EXPECT_EQ(FindBadPixels(counts, kPlanes, kExtent), (std::vector<uint32_t>{200 * kExtent + 210}));
}

TEST(BadPixelsTest, PixelsAtTheEdgesAndWithoutAnyNoiseAreFound) {
  std::vector<float> counts(kPixels * kPlanes, 7);
  for (int64_t z = 0; z < kPlanes; ++z) {
    for (const size_t pixel : {size_t{0}, size_t{255}, kPixels - 1})
      counts[static_cast<size_t>(z) * kPixels + pixel] = 9;
  }
  EXPECT_EQ(FindBadPixels(counts, kPlanes, kExtent), (std::vector<uint32_t>{0, 255, kPixels - 1}));
}

TEST(BadPixelsTest, WhatIsNoNumberHidesNoneAndIsNone) {
  std::vector<float> counts = Stack(v1::MIXED, 41);
  const std::set<uint32_t> hot = PlantHot(42, counts);
  const std::vector<uint32_t> before = FindBadPixels(counts, kPlanes, kExtent);
  // A plane that is missing, a pixel that is in half of the others, and a box that is missing in all.
  const auto hide = [&](int64_t z, size_t pixel) { counts[static_cast<size_t>(z) * kPixels + pixel] = NAN; };
  for (size_t pixel = 0; pixel < kPixels; ++pixel) hide(3, pixel);
  for (int64_t z = 4; z < 12; ++z) hide(z, 200 * kExtent + 30);
  for (int64_t z = 0; z < kPlanes; ++z) {
    for (int64_t y = 100; y < 140; ++y) {
      for (int64_t x = 90; x < 150; ++x) hide(z, static_cast<size_t>(y * kExtent + x));
    }
  }
  const auto away = [](uint32_t pixel) {
    const int64_t y = pixel / kExtent, x = pixel % kExtent;
    return (y < 98 || y >= 142 || x < 88 || x >= 152) && (std::abs(y - 200) > 2 || std::abs(x - 30) > 2);
  };
  const std::vector<uint32_t> found = FindBadPixels(counts, kPlanes, kExtent);
  EXPECT_TRUE(std::ranges::all_of(found, away));
  const auto expected = std::ranges::count_if(before, away);
  EXPECT_GT(expected, 100);
  EXPECT_GE(static_cast<double>(Found(hot, found)), 0.97 * static_cast<double>(expected));
  EXPECT_LE(found.size(), Found(hot, found) + 1);
}

TEST(BadPixelsTest, TooFewPlanesThatAreKnownTellNothing) {
  std::vector<float> counts(kPixels * kPlanes, 7);
  for (size_t z = 0; z < kPlanes; ++z) counts[z * kPixels + 9000] = 9;
  for (size_t i = 0; i < kPixels * 11; ++i) counts[i] = NAN;
  EXPECT_EQ(FindBadPixels(counts, kPlanes, kExtent), (std::vector<uint32_t>{9000}));
  for (size_t i = 0; i < kPixels * 12; ++i) counts[i] = NAN;
  EXPECT_TRUE(FindBadPixels(counts, kPlanes, kExtent).empty());
}

}  // namespace
}  // namespace deconvoy::worker
