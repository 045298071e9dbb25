// What every backend must do with counts that it loads through staging.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "tests/contract/backend_fixture.h"

namespace deconvoy::worker {

class StagingSuite : public BackendSuite {
 protected:
  // Counts of the box with the type's least and largest among them.
  template <typename T>
  std::vector<T> RandomCounts(const Box3& box) {
    std::uniform_int_distribution<int> uniform(0, std::numeric_limits<T>::max());
    std::vector<T> counts(static_cast<size_t>(box.shape.voxels()));
    for (T& count : counts) count = static_cast<T>(uniform(random_));
    counts.front() = 0;
    counts.back() = std::numeric_limits<T>::max();
    return counts;
  }

  template <typename T>
  static void Put(const std::vector<T>& values, Staging& staging) {
    ASSERT_OK_AND_ASSIGN(const std::span<std::byte> bytes, staging.Bytes());
    ASSERT_GE(bytes.size(), values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), values.size() * sizeof(T));
  }

  std::vector<float> Values(const Array& array, const Box3& box) {
    std::vector<float> host(static_cast<size_t>(box.shape.voxels()));
    EXPECT_OK(ops_->Download(array, box, host));
    return host;
  }

  static float ValueOf(const CountRule& rule, double count) {
    const auto p = static_cast<float>((count - rule.offset) * rule.gain - rule.dark);
    return static_cast<float>(std::max(static_cast<double>(p) + rule.raise, 0.0));
  }

  // Loads a box inside an array, and checks every value, also of what lies around the box.
  template <typename T>
  void CheckLoad(v1::VoxelType type, const CountRule& rule) {
    auto array = Allocate(whole_);
    EXPECT_OK(ops_->Fill(*array, 7));
    const Box3 box = InnerBox();
    const std::vector<T> counts = RandomCounts<T>(box);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Staging> staging,
                         ops_->Stage(static_cast<int64_t>(counts.size() * sizeof(T))));
    Put(counts, *staging);
    ASSERT_OK(ops_->Load(*staging, type, rule, box, *array));
    std::vector<float> expected(counts.size());
    std::ranges::transform(counts, expected.begin(), [&](T count) { return ValueOf(rule, count); });
    EXPECT_EQ(Values(*array, box), expected);
    const Volume field = ToField(*array);
    ForEach(whole_, [&](int64_t z, int64_t y, int64_t x) {
      if (box.Contains({{z, y, x}, {1, 1, 1}})) return;
      ASSERT_EQ(field.at(z, y, x), 7) << z << " " << y << " " << x;
    });
  }
};

TEST_P(StagingSuite, CountsBecomeValuesToTheLastBit) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    for (const CountRule& rule : {CountRule{}, CountRule{.offset = 99.7, .gain = 0.46, .dark = 0.21, .raise = 2.37}}) {
      CheckLoad<uint16_t>(v1::U16, rule);
      CheckLoad<uint8_t>(v1::U8, rule);
    }
  }
}

// The host fills one staging while the device copies the other; what is computed meanwhile is that of the order of
// calls.
TEST_P(StagingSuite, CopiesKeepTheOrderOfCalls) {
  Open({8, 64, 64}, 2);
  std::unique_ptr<Staging> stagings[2];
  const Box3 plane{{}, {1, domain_.y, domain_.x}};
  for (auto& staging : stagings) {
    ASSERT_OK_AND_ASSIGN(staging, ops_->Stage(plane.shape.voxels() * static_cast<int64_t>(sizeof(float))));
  }
  auto array = Allocate(whole_);
  std::vector<std::vector<uint16_t>> counts;
  for (int64_t z = 0; z < domain_.z; ++z) {
    Staging& staging = *stagings[z % 2];
    counts.push_back(RandomCounts<uint16_t>(plane));
    Put(counts.back(), staging);
    ASSERT_OK(ops_->Load(staging, v1::U16, {}, {{z, 0, 0}, plane.shape}, *array));
  }
  ASSERT_OK(ops_->Combine(*array, 2, *array, 0));
  for (int64_t z = 0; z < domain_.z; ++z) {
    const std::vector<float> values = Values(*array, {{z, 0, 0}, plane.shape});
    const std::vector<uint16_t>& given = counts[static_cast<size_t>(z)];
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], 2.0F * given[i]) << z << " " << i;
  }
}

TEST_P(StagingSuite, StagingOutlivesTheOperations) {
  const std::vector<uint16_t> counts = RandomCounts<uint16_t>(whole_);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Staging> staging,
                       ops_->Stage(static_cast<int64_t>(counts.size() * sizeof(uint16_t))));
  Put(counts, *staging);
  Open({4, 4, 4}, 1);
  auto array = Allocate(whole_);
  ASSERT_OK(ops_->Load(*staging, v1::U16, {}, whole_, *array));
  const std::vector<float> values = Values(*array, whole_);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], counts[i]);
}

}  // namespace deconvoy::worker
