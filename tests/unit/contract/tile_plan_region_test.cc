// Plans for a region of the frame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

#include "proto/contract/error.h"
#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

TilePlanRequest Request(const Shape3& frame, const Box3& region) {
  TilePlanRequest request;
  request.frame = frame;
  request.region = region;
  request.psf = {9, 15, 15};
  request.halo = {6, 8, 9};
  request.memory.millibytes_per_padded_voxel = 16'300;
  request.memory.millibytes_per_measured_voxel = 4'000;
  return request;
}

// The voxels that the transforms must hold along one axis (docs/decisions/0005-halo.md).
int64_t Held(int64_t begin, int64_t end, int64_t frame, int64_t psf) {
  return end - begin + (begin > 0 && end < frame ? psf / 2 : psf - 1);
}

// Cores that cover the region, each once, with a halo that ends at the frame's faces only.
void ExpectSound(const TilePlanRequest& request, const TilePlan& plan) {
  const Shape3& frame = request.frame;
  int64_t covered = 0;
  std::set<std::tuple<int64_t, int64_t, int64_t>> origins;
  for (int64_t i = 0; i < plan.tiles(); ++i) {
    const Tile tile = plan.At(i, frame, request.region);
    EXPECT_TRUE(request.region.Contains(tile.core));
    covered += tile.core.shape.voxels();
    const Voxel begin = tile.core.origin, end = tile.core.end();
    EXPECT_TRUE(origins.emplace(begin.z, begin.y, begin.x).second);
    const Voxel from = tile.loaded.origin, to = tile.loaded.end();
    EXPECT_EQ(from, (Voxel{std::max<int64_t>(begin.z - plan.halo.z, 0), std::max<int64_t>(begin.y - plan.halo.y, 0),
                           std::max<int64_t>(begin.x - plan.halo.x, 0)}));
    EXPECT_EQ(to, (Voxel{std::min(end.z + plan.halo.z, frame.z), std::min(end.y + plan.halo.y, frame.y),
                         std::min(end.x + plan.halo.x, frame.x)}));
    EXPECT_GE(plan.padded.z, Held(from.z, to.z, frame.z, request.psf.z));
    EXPECT_GE(plan.padded.y, Held(from.y, to.y, frame.y, request.psf.y));
    EXPECT_GE(plan.padded.x, Held(from.x, to.x, frame.x, request.psf.x));
  }
  EXPECT_EQ(covered, request.region.shape.voxels());
}

TEST(TilePlanRegion, TilesCoverTheRegionAndLoadWhatLiesAround) {
  std::mt19937_64 random(testing::Seed());
  const auto number = [&](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
  };
  for (int round = 0; round < 300; ++round) {
    const Shape3 frame{number(1, 60), number(1, 200), number(1, 200)};
    const Voxel origin{number(0, frame.z - 1), number(0, frame.y - 1), number(0, frame.x - 1)};
    const Shape3 shape{number(1, frame.z - origin.z), number(1, frame.y - origin.y), number(1, frame.x - origin.x)};
    TilePlanRequest request = Request(frame, {origin, shape});
    if (round % 3 == 1) request.core = {number(1, shape.z), number(1, shape.y), number(1, shape.x)};
    if (round % 3 == 2) request.memory_budget_bytes = 3'000'000;
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    if (ReasonOf(plan.status()) == v1::OUT_OF_MEMORY && request.memory_budget_bytes > 0) continue;
    ASSERT_OK(plan);
    SCOPED_TRACE(round);
    ExpectSound(request, *plan);
  }
}

TEST(TilePlanRegion, TakesLessThanTheFrame) {
  const Shape3 frame{64, 512, 512};
  ASSERT_OK_AND_ASSIGN(const TilePlan whole, PlanTiles(Request(frame, {})));
  ASSERT_OK_AND_ASSIGN(const TilePlan part, PlanTiles(Request(frame, {{20, 200, 200}, {16, 64, 64}})));
  EXPECT_EQ(part.tiles(), 1);
  EXPECT_LT(20 * part.memory_bytes, whole.memory_bytes);
  EXPECT_LE(part.padded.x, 120) << "64 and two halos of 9, and some margin";
}

TEST(TilePlanRegion, TheWholeFrameAsARegionIsThePlanOfTheFrame) {
  const Shape3 frame{30, 100, 120};
  ASSERT_OK_AND_ASSIGN(const TilePlan whole, PlanTiles(Request(frame, {})));
  ASSERT_OK_AND_ASSIGN(const TilePlan region, PlanTiles(Request(frame, {{}, frame})));
  EXPECT_EQ(region.core, whole.core);
  EXPECT_EQ(region.padded, whole.padded);
  EXPECT_EQ(region.grid, whole.grid);
}

TEST(TilePlanRegion, WhatNeedsTheWholeFrameLoadsIt) {
  const Shape3 frame{30, 100, 120};
  const Box3 region{{3, 40, 50}, {5, 20, 30}};
  TilePlanRequest periodic = Request(frame, region), uncut = periodic;
  periodic.boundary = v1::PERIODIC;
  uncut.uncut = true;
  uncut.halo = {1, 1, 1};
  for (const TilePlanRequest& request : {periodic, uncut}) {
    ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
    ASSERT_EQ(plan.tiles(), 1);
    EXPECT_EQ(plan.At(0, frame, region).core, region);
    EXPECT_EQ(plan.At(0, frame, region).loaded, (Box3{{}, frame}));
  }
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(periodic));
  EXPECT_EQ(plan.padded, frame);
}

TEST(TilePlanRegion, RefusesWhatLiesOutsideAndCoresThatDoNotFit) {
  const Shape3 frame{30, 100, 120};
  EXPECT_EQ(ReasonOf(PlanTiles(Request(frame, {{3, 90, 50}, {5, 20, 30}})).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(PlanTiles(Request(frame, {{-1, 0, 0}, {5, 20, 30}})).status()), v1::INVALID_FIELD);
  TilePlanRequest request = Request(frame, {{3, 40, 50}, {5, 20, 30}});
  request.core = {6, 20, 30};
  const absl::Status status = PlanTiles(request).status();
  EXPECT_EQ(InfoOf(status).field(), "deconvolve.tile.core");
  EXPECT_THAT(std::string(status.message()), HasSubstr("the region has 5 x 20 x 30 voxels"));
}

}  // namespace
}  // namespace deconvoy
