// What a backend must keep to that computes two tiles at once, on two threads: each has the bits that it has alone.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "proto/contract/status_macros.h"
#include "tests/contract/backend_fixture.h"
#include "worker/ops/finishing.h"

namespace deconvoy::worker {

// As BackendSuite, whose own operations it does not need.
class NeighbourSuite : public BackendSuite {
 protected:
  // What a tile's way through the device leaves: its values, and its voxels.
  struct Passed {
    std::vector<float> values;
    std::vector<std::byte> voxels;
    double squares = 0;
    bool operator==(const Passed&) const = default;
  };

  static std::vector<uint16_t> Counts(const Shape3& domain, int seed) {
    std::vector<uint16_t> counts(static_cast<size_t>(domain.voxels()));
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = static_cast<uint16_t>(100 + (i * 37 + i / 7 + seed) % 501);
    return counts;
  }

  // Loads plane by plane through two stagings, as tiles are.
  static absl::Status Load(Ops& ops, const std::vector<uint16_t>& counts, Array& y) {
    const Shape3 plane{1, ops.domain().y, ops.domain().x};
    const size_t bytes = static_cast<size_t>(plane.voxels()) * sizeof(uint16_t);
    std::unique_ptr<Staging> stagings[2];
    for (auto& staging : stagings) {
      ASSIGN_OR_RETURN(staging, ops.Stage(static_cast<int64_t>(bytes)));
    }
    for (int64_t z = 0; z < ops.domain().z; ++z) {
      Staging& staging = *stagings[z % 2];
      ASSIGN_OR_RETURN(const std::span<std::byte> room, staging.Bytes());
      std::memcpy(room.data(), counts.data() + z * plane.voxels(), bytes);
      RETURN_IF_ERROR(ops.Load(staging, v1::U16, {.offset = 90, .gain = 0.7}, {{z, 0, 0}, plane}, y));
    }
    return absl::OkStatus();
  }

  // Opens a domain, loads it, iterates, and unloads it.
  static absl::StatusOr<Passed> Pass(Backend& backend, const Shape3& domain, int seed) {
    ASSIGN_OR_RETURN(const auto ops, backend.Open(domain));
    const Box3 whole{{}, domain};
    const std::vector<float> psf = {0.1F, 0.2F, 0.4F, 0.25F, 0.05F};
    ASSIGN_OR_RETURN(const auto otf, ops->MakeOtf(psf, {1, 1, 5}, {0, 0, 2}));
    ASSIGN_OR_RETURN(const auto y, ops->Allocate(whole));
    RETURN_IF_ERROR(Load(*ops, Counts(domain, seed), *y));
    ASSIGN_OR_RETURN(const auto weights, ops->MakeWeights(*otf, whole, nullptr));
    ASSIGN_OR_RETURN(const auto x, ops->Allocate(whole));
    RETURN_IF_ERROR(ops->Fill(*x, 50));
    Passed passed;
    for (int k = 0; k < 4; ++k) {
      const Extrapolate p{x.get(), nullptr, 0, 0};
      const GuardedRatio ratio{.y = y.get(),
                               .mask = nullptr,
                               .background = 1,
                               .floor = 1e-3F,
                               .output = nullptr,
                               .squares = &passed.squares};
      RETURN_IF_ERROR(
          ops->ConvolveThen({otf.get(), false, p, ratio},
                            {otf.get(), true, Identity{nullptr}, MultiplyUpdate{p, weights.get(), 0.01F, x.get()}}));
    }
    passed.values.resize(static_cast<size_t>(domain.voxels()));
    RETURN_IF_ERROR(ops->Download(*x, whole, passed.values));
    ASSIGN_OR_RETURN(const auto staging, ops->Stage(domain.voxels() * int64_t{sizeof(uint16_t)}));
    RETURN_IF_ERROR(ops->finishing()->Unload(*x, whole, {.type = v1::U16, .gain = 0.7, .offset = 90}, *staging));
    ASSIGN_OR_RETURN(const std::span<std::byte> voxels, staging->Bytes());
    passed.voxels.assign(voxels.begin(), voxels.begin() + domain.voxels() * int64_t{sizeof(uint16_t)});
    return passed;
  }
};

TEST_P(NeighbourSuite, TwoAtOnceHaveTheBitsOfEachAlone) {
  const std::vector<std::unique_ptr<Backend>> halves = backend_->MakeHalves();
  ASSERT_EQ(halves.size(), 2U);
  // Equal and different ones, one after the other on each side.
  const std::vector<Shape3> shapes[] = {{{9, 12, 15}, {9, 12, 15}, {16, 17, 30}, {9, 12, 15}},
                                        {{9, 12, 15}, {7, 11, 14}, {16, 17, 30}, {3, 19, 70}}};
  std::vector<Passed> alone[2], beside[2];
  for (size_t side = 0; side < 2; ++side) {
    for (const Shape3& shape : shapes[side]) {
      ASSERT_OK_AND_ASSIGN(Passed passed, Pass(*backend_, shape, static_cast<int>(side)));
      alone[side].push_back(std::move(passed));
    }
  }
  for (int round = 0; round < 5; ++round) {
    std::barrier together(2);
    absl::Status failed[2];
    const auto run = [&](size_t side) {
      beside[side].clear();
      for (const Shape3& shape : shapes[side]) {
        together.arrive_and_wait();
        absl::StatusOr<Passed> passed = Pass(*halves[side], shape, static_cast<int>(side));
        failed[side].Update(passed.status());
        beside[side].push_back(passed.ok() ? *std::move(passed) : Passed());
      }
    };
    std::thread other(run, 1);
    run(0);
    other.join();
    for (size_t side = 0; side < 2; ++side) {
      ASSERT_OK(failed[side]);
      for (size_t i = 0; i < alone[side].size(); ++i) {
        EXPECT_TRUE(beside[side][i] == alone[side][i]) << "round " << round << ", side " << side << ", tile " << i;
      }
    }
  }
}

TEST_P(NeighbourSuite, HalvesAreTheDeviceAndCannotBeHalved) {
  const std::vector<std::unique_ptr<Backend>> halves = backend_->MakeHalves();
  ASSERT_EQ(halves.size(), 2U);
  for (const auto& half : halves) {
    EXPECT_EQ(half->name(), backend_->name());
    EXPECT_EQ(half->device(), backend_->device());
    EXPECT_EQ(half->threads(), backend_->threads());
    EXPECT_TRUE(half->MakeHalves().empty());
  }
}

// Memory that one of them lacks is no failure of the other, which has its own.
TEST_P(NeighbourSuite, OneThatTakesAllItsMemoryLeavesTheOtherIts) {
  const std::vector<std::unique_ptr<Backend>> halves = backend_->MakeHalves();
  ASSERT_EQ(halves.size(), 2U);
  const Shape3 domain{9, 12, 15};
  ASSERT_OK_AND_ASSIGN(const Passed expected, Pass(*backend_, domain, 3));
  for (size_t full = 0; full < 2; ++full) {
    ASSERT_OK_AND_ASSIGN(const auto ops, halves[full]->Open({64, 64, 64}));
    std::vector<std::unique_ptr<Array>> arrays;
    absl::Status lacking;
    while (lacking.ok()) {
      auto array = ops->Allocate({{}, {64, 64, 64}});
      lacking = array.status();
      if (array.ok()) arrays.push_back(*std::move(array));
    }
    EXPECT_EQ(lacking.code(), absl::StatusCode::kResourceExhausted);
    ASSERT_OK_AND_ASSIGN(const Passed found, Pass(*halves[1 - full], domain, 3));
    EXPECT_TRUE(found == expected);
  }
}

}  // namespace deconvoy::worker
