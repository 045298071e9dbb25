#include "worker/imaging/counts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

template <typename T>
std::vector<std::byte> Bytes(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> Values(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(ToFloat, KeepsEveryTypesExtremes) {
  std::vector<float> values(3);
  ToFloat(Bytes<uint8_t>({0, 7, 255}), v1::U8, values);
  EXPECT_EQ(values, (std::vector<float>{0, 7, 255}));
  ToFloat(Bytes<uint16_t>({0, 256, 65535}), v1::U16, values);
  EXPECT_EQ(values, (std::vector<float>{0, 256, 65535}));
  ToFloat(Bytes<float>({-1.5F, 0, 3e30F}), v1::F32, values);
  EXPECT_EQ(values, (std::vector<float>{-1.5F, 0, 3e30F}));
}

TEST(ToPhotons, TakesOffsetThenGain) {
  std::vector<float> values{100, 150, 90};
  ToPhotons({.offset_counts = 100, .gain = 0.5}, values);
  EXPECT_EQ(values, (std::vector<float>{0, 25, -5}));
}

TEST(ApplyReadNoise, AddsTheVarianceAndStopsAtZero) {
  std::vector<float> values{5, -3, -4, -9};
  ApplyReadNoise({.read_noise = 2}, values);
  EXPECT_EQ(values, (std::vector<float>{9, 1, 0, 0}));
}

TEST(ToCounts, RoundsHalfAwayAndCountsWhatItClips) {
  std::vector<std::byte> raw(2 * 6);
  const CountTotals totals =
      ToCounts({}, false, std::vector<float>{0.5F, 1.5F, 2.4F, 65535.4F, 65535.5F, -0.6F}, v1::U16, raw);
  EXPECT_EQ(Values<uint16_t>(raw), (std::vector<uint16_t>{1, 2, 2, 65535, 65535, 0}));
  EXPECT_EQ(totals.clipped, 2U);
  EXPECT_EQ(totals.maximum, 65535.5);
  EXPECT_FLOAT_EQ(static_cast<float>(totals.minimum), -0.6F);
  EXPECT_EQ(totals.voxels, 6U);
}

TEST(ToCounts, IsTheInverseOfToPhotons) {
  const CountScale scale{.offset_counts = 37, .gain = 0.25};
  std::vector<float> values{37, 40, 250};
  ToPhotons(scale, values);
  std::vector<std::byte> raw(3);
  ToCounts(scale, true, values, v1::U8, raw);
  EXPECT_EQ(Values<uint8_t>(raw), (std::vector<uint8_t>{37, 40, 250}));
  ToCounts(scale, false, values, v1::U8, raw);
  EXPECT_EQ(Values<uint8_t>(raw), (std::vector<uint8_t>{0, 3, 213}));
}

TEST(ToCounts, CountsWhatIsNotFiniteAndKeepsItOut) {
  std::vector<std::byte> raw(4 * 4);
  const CountTotals totals = ToCounts({}, false, std::vector<float>{NAN, 1, INFINITY, 3}, v1::F32, raw);
  EXPECT_EQ(Values<float>(raw), (std::vector<float>{0, 1, 0, 3}));
  EXPECT_EQ(totals.not_finite, 2U);
  EXPECT_EQ(totals.sum, 4);
  EXPECT_EQ(totals.minimum, 1);
}

// A small gain makes more counts of photons than single precision holds.
TEST(ToCounts, CountsBeyondSinglePrecisionAreNotFinite) {
  std::vector<std::byte> raw(4 * 3);
  const CountTotals totals = ToCounts({.gain = 1e-6}, false, std::vector<float>{1e-6F, 1e37F, -1e37F}, v1::F32, raw);
  EXPECT_EQ(Values<float>(raw), (std::vector<float>{1, 0, 0}));
  EXPECT_EQ(totals.not_finite, 2U);
  EXPECT_EQ(totals.voxels, 1U);
  const CountTotals clipped = ToCounts({.gain = 1e-6}, false, std::vector<float>{1e37F}, v1::U8, raw);
  EXPECT_EQ(clipped.not_finite, 0U);
  EXPECT_EQ(clipped.clipped, 1U);
}

// Long enough for several stretches that are converted at once, of which one has a NaN, and for rests of any length.
TEST(ToCounts, LongStretchesAreAsTheirVoxels) {
  const CountScale scale{.offset_counts = -40, .gain = 0.25};
  for (const size_t count : {7U, 8U, 511U, 512U, 1537U}) {
    for (const v1::VoxelType type : {v1::F32, v1::U16, v1::U8}) {
      SCOPED_TRACE(testing::Message() << count << " voxels of type " << type);
      std::vector<float> photons(count);
      for (size_t i = 0; i < count; ++i) photons[i] = static_cast<float>(static_cast<int>(i * 37 % 500) - 10) / 4;
      if (count > 1000) photons[600] = NAN;
      const auto bytes = static_cast<size_t>(BytesPerVoxel(type));
      std::vector<std::byte> raw(count * bytes), voxel(bytes);
      const CountTotals totals = ToCounts(scale, true, photons, type, raw);
      CountTotals expected;
      for (size_t i = 0; i < count; ++i) {
        expected.Merge(ToCounts(scale, true, std::span(photons).subspan(i, 1), type, voxel));
        ASSERT_EQ(std::memcmp(raw.data() + i * bytes, voxel.data(), bytes), 0) << i;
      }
      EXPECT_EQ(totals.minimum, expected.minimum);
      EXPECT_EQ(totals.maximum, expected.maximum);
      EXPECT_EQ(totals.sum, expected.sum);
      EXPECT_EQ(totals.clipped, expected.clipped);
      EXPECT_EQ(totals.not_finite, expected.not_finite);
      EXPECT_EQ(totals.voxels, expected.voxels);
      EXPECT_FALSE(totals.all_zero);
    }
  }
}

TEST(CountTotals, MergeLikeOneStretch) {
  std::vector<std::byte> raw(4 * 2);
  CountTotals totals = ToCounts({}, false, std::vector<float>{5, 6}, v1::F32, raw);
  EXPECT_FALSE(totals.all_zero);
  totals.Merge(ToCounts({}, false, std::vector<float>{0, 0}, v1::F32, raw));
  EXPECT_EQ(totals.minimum, 0);
  EXPECT_EQ(totals.maximum, 6);
  EXPECT_EQ(totals.sum, 11);
  EXPECT_EQ(totals.voxels, 4U);
  EXPECT_FALSE(totals.all_zero);
  CountTotals zeros;
  zeros.Merge(ToCounts({}, false, std::vector<float>{0, 0}, v1::F32, raw));
  EXPECT_TRUE(zeros.all_zero);
}

// A kept offset is not light.
TEST(CountTotals, ZeroIsJudgedInPhotons) {
  std::vector<std::byte> raw(2);
  EXPECT_TRUE(ToCounts({.offset_counts = 100}, true, std::vector<float>{0, 0}, v1::U8, raw).all_zero);
}

}  // namespace
}  // namespace deconvoy::worker
