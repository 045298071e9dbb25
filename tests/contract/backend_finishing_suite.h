// What a backend whose arrays lie in a device's own memory must make of results there: the host's voxels to the last
// bit, and the host's sums.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "proto/contract/volume_layout.h"
#include "tests/contract/backend_fixture.h"
#include "worker/ops/finishing.h"

namespace deconvoy::worker {

class FinishingSuite : public BackendSuite {
 protected:
  // Of sums that differ in the order of their additions, or where one rounding is left out.
  static constexpr double kSums = 1e-5;

  std::vector<float> Random(const Box3& box, float low, float high) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::vector<float> values(static_cast<size_t>(box.shape.voxels()));
    for (float& v : values) v = uniform(random_);
    return values;
  }
  std::unique_ptr<Array> Hold(const std::vector<float>& values, const Box3& box) {
    auto array = Allocate(box);
    EXPECT_OK(ops_->Upload(values, box, *array));
    return array;
  }
  // The values of `core`, of those of `box`.
  static std::vector<float> Part(const std::vector<float>& values, const Box3& box, const Box3& core) {
    std::vector<float> part;
    ForEach(core, [&](int64_t z, int64_t y, int64_t x) {
      const Voxel at = Voxel{z, y, x} - box.origin;
      part.push_back(values[static_cast<size_t>((at.z * box.shape.y + at.y) * box.shape.x + at.x)]);
    });
    return part;
  }
  std::vector<std::byte> Unload(const Array& array, const Box3& box, const VoxelRule& rule) {
    const int64_t bytes = box.shape.voxels() * BytesPerVoxel(rule.type);
    auto staging = ops_->Stage(bytes + 5);
    EXPECT_OK(staging);
    EXPECT_OK(ops_->finishing()->Unload(array, box, rule, **staging));
    auto found = (*staging)->Bytes();
    EXPECT_OK(found);
    return {found->begin(), found->begin() + bytes};
  }

  // Voxels and what is told of them against ToCounts.
  void CheckVoxels(const std::vector<float>& values, const VoxelRule& rule) {
    SCOPED_TRACE(::testing::Message() << "type " << rule.type << ", gain " << rule.gain);
    const Box3 box = InnerBox();
    const auto array = Hold(values, whole_);
    const std::vector<float> photons = Part(values, whole_, box);
    std::vector<std::byte> expected(photons.size() * static_cast<size_t>(BytesPerVoxel(rule.type)));
    const CountTotals totals =
        ToCounts({.offset_counts = rule.offset, .gain = rule.gain}, /*keep_offset=*/true, photons, rule.type, expected);
    EXPECT_EQ(Unload(*array, box, rule), expected);
    ASSERT_OK_AND_ASSIGN(const CountTotals found, ops_->finishing()->CountVoxels(*array, box, rule));
    EXPECT_EQ(found.minimum, totals.minimum);
    EXPECT_EQ(found.maximum, totals.maximum);
    EXPECT_EQ(found.clipped, totals.clipped);
    EXPECT_EQ(found.not_finite, totals.not_finite);
    EXPECT_EQ(found.voxels, totals.voxels);
    EXPECT_EQ(found.all_zero, totals.all_zero);
    const double largest = std::max(std::abs(totals.minimum), std::abs(totals.maximum));
    EXPECT_NEAR(found.sum, totals.sum, 1e-12 * largest * static_cast<double>(photons.size()));
  }

  // Light with a ramp in one half, where no block is flat, and structures as bright as one block's inside in the other.
  std::vector<float> Picture(const Box3& core) {
    std::vector<float> values = Random(whole_, 9, 11);
    ForEach(core, [&](int64_t z, int64_t y, int64_t x) {
      float& v = values[static_cast<size_t>((z * domain_.y + y) * domain_.x + x)];
      const Voxel at = Voxel{z, y, x} - core.origin;
      const auto inner = [](int64_t i) { return i % 8 >= 2 && i % 8 < 6; };
      if (at.x >= core.shape.x / 2) v += static_cast<float>(2 * at.x);
      if (at.x < 8 && inner(at.y) && inner(at.x)) v += 6;
    });
    return values;
  }
  std::vector<float> Mask() {
    std::vector<float> m(static_cast<size_t>(whole_.shape.voxels()), 1);
    for (size_t i = 0; i < m.size(); i += 389) m[i] = 0;
    return m;
  }
  void OpenLarge() {
    Open({7, 44, 53}, 2);
    core_ = {{1, 3, 2}, {6, 38, 49}};
  }

  Box3 core_;
};

TEST_P(FinishingSuite, VoxelsAreThoseOfTheHostToTheLastBit) {
  const std::vector<VoxelRule> rules{{}, {.gain = 0.46, .offset = 99.7}, {.gain = 3, .offset = 0}};
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    std::vector<float> values = Random(whole_, -20, 70000);
    for (size_t i = 0; i < values.size(); i += 3) values[i] = static_cast<float>(i % 1200) / 2;  // halves
    for (VoxelRule rule : rules) {
      for (const v1::VoxelType type : {v1::U8, v1::U16, v1::F32}) {
        rule.type = type;
        CheckVoxels(values, rule);
      }
    }
  }
}

TEST_P(FinishingSuite, VoxelsThatATypeCannotHoldAreToldAndZero) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = Random(whole_, -1, 1);
  const std::vector<float> hard{std::numeric_limits<float>::quiet_NaN(),
                                kInfinity,
                                -kInfinity,
                                3e38F,
                                -3e38F,
                                -0.5F,
                                0.5F,
                                65535.5F,
                                65535.4F,
                                255.5F,
                                255.4F,
                                -0.0F};
  for (size_t i = 0; i < values.size(); i += 2) values[i] = hard[i / 2 % hard.size()];
  for (const v1::VoxelType type : {v1::U8, v1::U16, v1::F32}) {
    CheckVoxels(values, {.type = type, .gain = 0.5});
    CheckVoxels(values, {.type = type});
  }
  CheckVoxels(std::vector<float>(values.size(), 0), {.type = v1::U16, .offset = 7});
}

// One staging is filled while the host reads the other; what follows does not change what was asked for before.
TEST_P(FinishingSuite, VoxelsAreThoseOfTheOrderOfCalls) {
  Open({8, 32, 32}, 2);
  const std::vector<float> values = Random(whole_, 0, 60000);
  const auto array = Hold(values, whole_);
  const Shape3 plane{1, domain_.y, domain_.x};
  const VoxelRule rule{.type = v1::U16};
  std::unique_ptr<Staging> stagings[2];
  for (auto& staging : stagings) {
    ASSERT_OK_AND_ASSIGN(staging, ops_->Stage(plane.voxels() * 2));
  }
  ASSERT_OK(ops_->finishing()->Unload(*array, {{0, 0, 0}, plane}, rule, *stagings[0]));
  ASSERT_OK(ops_->finishing()->Unload(*array, {{5, 0, 0}, plane}, rule, *stagings[1]));
  ASSERT_OK(ops_->Fill(*array, 3));
  for (const int64_t z : {0, 5}) {
    const std::vector<float> photons = Part(values, whole_, {{z, 0, 0}, plane});
    std::vector<std::byte> expected(photons.size() * 2);
    ToCounts({}, false, photons, v1::U16, expected);
    ASSERT_OK_AND_ASSIGN(const std::span<std::byte> found, stagings[z == 0 ? 0 : 1]->Bytes());
    EXPECT_TRUE(std::ranges::equal(found, expected)) << z;
  }
}

TEST_P(FinishingSuite, NoiseIsThatOfTheHost) {
  OpenLarge();
  const std::vector<float> image = Picture(core_), m = Mask();
  std::vector<float> result = Random(whole_, -10, 30);  // dark is below -2 and bright from 10 on
  const auto of_result = Hold(result, whole_), of_image = Hold(image, whole_), mask = Hold(m, whole_);
  for (const bool masked : {false, true}) {
    for (const NoiseRule rule : {NoiseRule{.brightest = 40, .first_plane = 2, .every_planes = 3},
                                 NoiseRule{.brightest = 0, .first_plane = 0, .every_planes = 1},
                                 NoiseRule{.brightest = 40, .first_plane = 9, .every_planes = 12}}) {
      NoiseSums expected;
      for (int64_t z = 0; z < core_.shape.z; ++z) {
        const Box3 plane{core_.origin + Voxel{z, 0, 0}, {1, core_.shape.y, core_.shape.x}};
        const std::vector<float> values = Part(result, whole_, plane), counts = Part(m, whole_, plane);
        AddRings(values, core_.shape.x, rule.brightest, expected);
        if (z < rule.first_plane || (z - rule.first_plane) % rule.every_planes != 0) continue;
        std::vector<float> seen = Part(image, whole_, plane);
        for (size_t i = 0; masked && i < seen.size(); ++i) {
          if (counts[i] == 0) seen[i] = std::numeric_limits<float>::quiet_NaN();
        }
        AddFlat(seen, values, core_.shape.x, expected);
      }
      const FinishedCore core{of_result.get(), of_image.get(), masked ? mask.get() : nullptr, core_};
      ASSERT_OK_AND_ASSIGN(const NoiseSums found, ops_->finishing()->SumNoise(core, rule));
      EXPECT_EQ(found.ring_voxels, expected.ring_voxels);
      EXPECT_EQ(found.flat_voxels, expected.flat_voxels);
      EXPECT_NEAR(found.flat_before, expected.flat_before, kSums * expected.flat_before);
      EXPECT_NEAR(found.flat_after, expected.flat_after, kSums * expected.flat_after);
      EXPECT_EQ(expected.ring_voxels > 0, rule.brightest > 0);
      EXPECT_EQ(expected.flat_voxels > 0, rule.first_plane < core_.shape.z);
    }
  }
}

TEST_P(FinishingSuite, ResidualsAreThoseOfTheHost) {
  OpenLarge();
  const ResidualScale scale{.floor = 9.2, .background = 8, .brightest = 1000};
  const std::vector<float> image = Picture(core_), model = Random(whole_, 9, 11), m = Mask();
  const auto of_image = Hold(image, whole_), of_model = Hold(model, whole_), mask = Hold(m, whole_);
  for (const bool masked : {false, true}) {
    ResidualSums expected;
    std::vector<float> before;  // r of the plane before, 0 where it does not count
    std::vector<float> counted_before;
    for (int64_t z = 0; z < core_.shape.z; ++z) {
      const Box3 plane{core_.origin + Voxel{z, 0, 0}, {1, core_.shape.y, core_.shape.x}};
      const std::vector<float> y = Part(image, whole_, plane), of = Part(model, whole_, plane);
      std::vector<float> counted = masked ? Part(m, whole_, plane) : std::vector<float>(y.size(), 1);
      std::vector<float> r(y.size());
      ResidualSums faint;
      AddResidual(scale, {y, of, counted}, core_.shape.x, r, faint);
      expected.faint_voxels += faint.faint_voxels;
      expected.faint_light += faint.faint_light;
      expected.faint_model += faint.faint_model;
      const auto pair = [&](size_t i, const std::vector<float>& other, const std::vector<float>& there, size_t j,
                            ResidualSums::Pairs& pairs) {
        if (counted[i] == 0 || there[j] == 0) return;
        ++pairs.count;
        pairs.products += static_cast<double>(r[i]) * other[j];
      };
      const auto columns = static_cast<size_t>(core_.shape.x);
      for (size_t i = 0; i < r.size(); ++i) {
        if (counted[i] != 0) {
          ++expected.voxels;
          expected.sum += r[i];
          expected.squares += static_cast<double>(r[i]) * r[i];
        }
        if (i % columns > 0) pair(i, r, counted, i - 1, expected.x);
        if (i >= columns) pair(i, r, counted, i - columns, expected.y);
        if (z > 0) pair(i, before, counted_before, i, expected.z);
      }
      before = r;
      counted_before = counted;
    }
    const FinishedCore core{of_model.get(), of_image.get(), masked ? mask.get() : nullptr, core_};
    ASSERT_OK_AND_ASSIGN(const ResidualSums found, ops_->finishing()->SumResidual(core, scale));
    EXPECT_EQ(found.voxels, expected.voxels);
    EXPECT_NEAR(found.sum, expected.sum, kSums * expected.squares);
    EXPECT_NEAR(found.squares, expected.squares, kSums * expected.squares);
    for (const auto& pairs : {&ResidualSums::x, &ResidualSums::y, &ResidualSums::z}) {
      EXPECT_EQ((found.*pairs).count, (expected.*pairs).count);
      EXPECT_NEAR((found.*pairs).products, (expected.*pairs).products, kSums * expected.squares);
    }
    EXPECT_EQ(found.faint_voxels, expected.faint_voxels);
    EXPECT_GT(found.faint_voxels, 0U);
    EXPECT_NEAR(found.faint_light, expected.faint_light, kSums * expected.faint_light);
    EXPECT_NEAR(found.faint_model, expected.faint_model, kSums * expected.faint_light);
  }
}

// Cores that are too small for a block.
TEST_P(FinishingSuite, SmallCoresHaveNoBlocks) {
  for (const Shape3& domain : Domains()) {
    Open(domain, 1);
    const auto array = Hold(Random(whole_, 1, 2), whole_);
    const FinishedCore core{array.get(), array.get(), nullptr, {{}, {domain.z, 1, domain.x}}};
    ASSERT_OK_AND_ASSIGN(const NoiseSums noise, ops_->finishing()->SumNoise(core, {.brightest = 1}));
    EXPECT_EQ(noise.flat_voxels, 0U);
    ASSERT_OK_AND_ASSIGN(const ResidualSums residual,
                         ops_->finishing()->SumResidual(core, {.floor = 1, .brightest = 9}));
    EXPECT_EQ(residual.voxels, static_cast<uint64_t>(domain.z * domain.x));
    EXPECT_EQ(residual.squares, 0);
    EXPECT_EQ(residual.x.count, static_cast<uint64_t>(domain.z * (domain.x - 1)));
    EXPECT_EQ(residual.z.count, static_cast<uint64_t>((domain.z - 1) * domain.x));
    EXPECT_EQ(residual.y.count, 0U);
    EXPECT_EQ(residual.faint_voxels, 0U);
  }
}

}  // namespace deconvoy::worker
