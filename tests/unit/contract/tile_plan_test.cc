#include "proto/contract/tile_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <tuple>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using nlohmann::json;

Shape3 ShapeOf(const json& value) {
  return {value.at(0), value.at(1), value.at(2)};
}

json ToJson(const Shape3& shape) {
  return json::array({shape.z, shape.y, shape.x});
}

TilePlanRequest RequestOf(const json& value) {
  TilePlanRequest request;
  request.frame = ShapeOf(value.at("frame"));
  request.psf = ShapeOf(value.at("psf"));
  if (value.contains("halo")) request.halo = ShapeOf(value.at("halo"));
  v1::Boundary_Parse(value.value("boundary", "EXTEND"), &request.boundary);
  request.memory.millibytes_per_padded_voxel = value.value("millibytes_per_padded_voxel", int64_t{16'300});
  request.fixed_bytes = value.value("fixed_bytes", int64_t{0});
  request.memory_budget_bytes = value.value("memory_budget_bytes", int64_t{0});
  if (value.contains("core")) request.core = ShapeOf(value.at("core"));
  request.whole = value.value("whole", false);
  request.workers = value.value("workers", int64_t{1});
  request.frames = value.value("frames", int64_t{1});
  request.growing = value.value("growing", false);
  return request;
}

json Vectors() {
  std::ifstream file(deconvoy::testing::SourceDir() / "tests/contract/data/tile_plan.json");
  return json::parse(file);
}

json Summary(const absl::StatusOr<TilePlan>& plan) {
  if (!plan.ok()) return {{"refusal", v1::ErrorReason_Name(ReasonOf(plan.status()))}};
  return {{"plan",
           {{"core", ToJson(plan->core)},
            {"halo", ToJson(plan->halo)},
            {"padded", ToJson(plan->padded)},
            {"grid", ToJson(plan->grid)},
            {"memory_bytes", plan->memory_bytes}}}};
}

// --- What any plan must keep, checked without the planner's own functions ---

bool IsFast(int64_t n) {
  for (const int64_t prime : {2, 3, 5, 7}) {
    while (n % prime == 0) n /= prime;
  }
  return n == 1;
}

// Along one axis. A tile that ends with the frame has the surroundings of both ends apart, so that circular convolution
// equals linear convolution; others have half of that.
void ExpectPaddedBigEnough(const TilePlanRequest& request, int64_t begin, int64_t end, int64_t frame, int64_t psf,
                           int64_t padded, bool even) {
  const int64_t loaded = end - begin;
  if (request.boundary == v1::PERIODIC) {
    EXPECT_EQ(padded, loaded);
    return;
  }
  const bool ends = begin == 0 || end == frame || request.boundary == v1::MIRROR;
  EXPECT_GE(padded, loaded + (ends ? psf - 1 : psf / 2));
  EXPECT_TRUE(IsFast(padded)) << padded;
  if (even) {
    EXPECT_EQ(padded % 2, 0);
  }
}

// Along one axis: what is between the core and the loaded box is the halo or ends at the frame's border.
void ExpectHalo(int64_t core_begin, int64_t core_end, int64_t begin, int64_t end, int64_t frame, int64_t halo) {
  EXPECT_EQ(begin, std::max<int64_t>(0, core_begin - halo));
  EXPECT_EQ(end, std::min(frame, core_end + halo));
}

void ExpectTile(const TilePlanRequest& request, const TilePlan& plan, const Tile& tile) {
  const Box3 frame{{}, request.frame};
  EXPECT_TRUE(frame.Contains(tile.loaded));
  EXPECT_TRUE(tile.loaded.Contains(tile.core));
  EXPECT_FALSE(tile.core.empty());
  const Voxel core_end = tile.core.end(), end = tile.loaded.end();
  ExpectHalo(tile.core.origin.z, core_end.z, tile.loaded.origin.z, end.z, request.frame.z, plan.halo.z);
  ExpectHalo(tile.core.origin.y, core_end.y, tile.loaded.origin.y, end.y, request.frame.y, plan.halo.y);
  ExpectHalo(tile.core.origin.x, core_end.x, tile.loaded.origin.x, end.x, request.frame.x, plan.halo.x);
  const Voxel begin = tile.loaded.origin;
  ExpectPaddedBigEnough(request, begin.z, end.z, request.frame.z, request.psf.z, plan.padded.z, false);
  ExpectPaddedBigEnough(request, begin.y, end.y, request.frame.y, request.psf.y, plan.padded.y, false);
  ExpectPaddedBigEnough(request, begin.x, end.x, request.frame.x, request.psf.x, plan.padded.x, true);
}

void ExpectSound(const TilePlanRequest& request, const TilePlan& plan) {
  int64_t covered = 0;
  Shape3 loaded{};
  std::set<std::tuple<int64_t, int64_t, int64_t>> origins;
  ASSERT_LE(plan.tiles(), 20'000);
  for (int64_t i = 0; i < plan.tiles(); ++i) {
    const Tile tile = plan.At(i, request.frame);
    ExpectTile(request, plan, tile);
    covered += tile.core.shape.voxels();
    // On a grid of equal cells, cores with different origins cannot overlap.
    EXPECT_EQ(tile.core.origin.z % plan.core.z + tile.core.origin.y % plan.core.y + tile.core.origin.x % plan.core.x,
              0);
    EXPECT_LE(tile.core.shape.z, plan.core.z);
    EXPECT_LE(tile.core.shape.y, plan.core.y);
    EXPECT_LE(tile.core.shape.x, plan.core.x);
    EXPECT_TRUE(origins.emplace(tile.core.origin.z, tile.core.origin.y, tile.core.origin.x).second);
    loaded = {std::max(loaded.z, tile.loaded.shape.z), std::max(loaded.y, tile.loaded.shape.y),
              std::max(loaded.x, tile.loaded.shape.x)};
  }
  EXPECT_EQ(covered, request.frame.voxels());
  const auto distinct = [](int64_t padded, int64_t psf) { return static_cast<double>(std::min(padded, 2 * psf)); };
  const double weights = distinct(plan.padded.z, request.psf.z) * distinct(plan.padded.y, request.psf.y) *
                         distinct(plan.padded.x, request.psf.x);
  const auto voxels = static_cast<double>(plan.padded.voxels());
  const double measured = request.boundary == v1::EXTEND ? static_cast<double>(loaded.voxels()) : voxels;
  EXPECT_NEAR(static_cast<double>(plan.memory_bytes),
              voxels * static_cast<double>(request.memory.millibytes_per_padded_voxel) / 1000 +
                  measured * static_cast<double>(request.memory.millibytes_per_measured_voxel) / 1000 + 4 * weights +
                  static_cast<double>(request.fixed_bytes),
              1 + 1e-9 * voxels);
  if (request.memory_budget_bytes > 0) {
    EXPECT_LE(plan.memory_bytes, request.memory_budget_bytes);
  }
}

// Relative time: padded voxels of all tiles times the costs of the extents, 65536 voxels for each tile, and 40 for each
// of its rows where rows are cut.
double TimeOf(const TilePlanRequest& request, const TilePlan& plan) {
  const auto cost = [&](int64_t extent, FftAxis axis) {
    return static_cast<double>(request.costs.At(extent, axis)) / 1000;
  };
  const double transforms = static_cast<double>(plan.padded.voxels()) * cost(plan.padded.z, FftAxis::kColumn) *
                            cost(plan.padded.y, FftAxis::kColumn) * cost(plan.padded.x, FftAxis::kRow);
  const double cut_rows = plan.grid.x > 1 ? static_cast<double>(plan.core.z * plan.core.y) : 0;
  return static_cast<double>(plan.tiles()) * (transforms + 65536 + 40 * cut_rows);
}

// Least time over every way to cut y and x while z is cut into `z_tiles`, or -1: slow and plain.
double LeastTime(const TilePlanRequest& request, int64_t z_tiles) {
  double least = -1;
  TilePlanRequest given = request;
  for (int64_t ny = 1; ny <= request.frame.y; ++ny) {
    for (int64_t nx = 1; nx <= request.frame.x; ++nx) {
      given.core = {(request.frame.z + z_tiles - 1) / z_tiles, (request.frame.y + ny - 1) / ny,
                    (request.frame.x + nx - 1) / nx};
      const absl::StatusOr<TilePlan> plan = PlanTiles(given);
      if (!plan.ok()) continue;
      const double time = TimeOf(request, *plan);
      if (least < 0 || time < least) least = time;
    }
  }
  return least;
}

// --- Stored vectors ---

TEST(TilePlan, GivesTheStoredPlans) {
  const json vectors = Vectors();
  ASSERT_GE(vectors.size(), 25U);
  for (const json& vector : vectors) {
    const json actual = Summary(PlanTiles(RequestOf(vector.at("request"))));
    const char* kind = vector.contains("plan") ? "plan" : "refusal";
    EXPECT_EQ(actual.value(kind, json()), vector.at(kind)) << vector.at("name") << " gave " << actual;
  }
}

TEST(TilePlan, StoredPlansAreSound) {
  for (const json& vector : Vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const TilePlanRequest request = RequestOf(vector.at("request"));
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    if (plan.ok()) ExpectSound(request, *plan);
  }
}

// --- Properties over random requests ---

TilePlanRequest RandomRequest(std::mt19937_64& random, int64_t largest) {
  const auto upto = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(1, most)(random); };
  TilePlanRequest request;
  request.frame = {upto(largest), upto(largest), upto(largest)};
  request.psf = {upto(2 * request.frame.z - 1), upto(2 * request.frame.y - 1), upto(2 * request.frame.x - 1)};
  request.boundary = random() % 3 == 0 ? v1::MIRROR : v1::EXTEND;
  if (random() % 2 == 0) request.halo = {upto(request.psf.z), upto(request.psf.y), upto(request.psf.x)};
  request.memory.millibytes_per_padded_voxel = upto(40'000);
  request.fixed_bytes = upto(10'000);
  request.memory_budget_bytes = upto(largest * largest * largest * 8);
  return request;
}

TEST(TilePlan, RandomPlansAreSound) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  int planned = 0;
  for (int i = 0; i < 300; ++i) {
    const TilePlanRequest request = RandomRequest(random, 80);
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    if (!plan.ok()) {
      EXPECT_EQ(ReasonOf(plan.status()), v1::OUT_OF_MEMORY);
      continue;
    }
    ++planned;
    ExpectSound(request, *plan);
  }
  EXPECT_GT(planned, 30);
}

// Along x, two tiles load 109 voxels each, three 121, in less when padded: what fits does not follow the padded extent.
TEST(TilePlan, FindsTheCutThatFitsWhereMoreTilesLoadMore) {
  TilePlanRequest request;
  request.frame = {64, 64, 146};
  request.psf = {1, 1, 82};
  request.halo = {64, 64, 36};  // only x is worth cutting
  request.memory = {.millibytes_per_padded_voxel = 1, .millibytes_per_measured_voxel = 4000, .bytes_per_weight = 0};
  request.memory_budget_bytes = 4 * 64 * 64 * 112;
  TilePlanRequest two = request, three = request;
  two.core = {64, 64, 73};
  three.core = {64, 64, 49};
  ASSERT_OK(PlanTiles(two));
  ASSERT_FALSE(PlanTiles(three).ok());
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  EXPECT_EQ(plan.grid, (Shape3{1, 1, 2}));
}

TEST(TilePlan, NoOtherCutOfAWholeZIsFaster) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  for (int i = 0; i < 40; ++i) {
    TilePlanRequest request = RandomRequest(random, 24);
    request.psf = {1 + request.psf.z / 8, 1 + request.psf.y / 8, 1 + request.psf.x / 8};
    request.halo = {};
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    const double least = LeastTime(request, 1);
    if (!plan.ok()) {
      EXPECT_EQ(least, -1);
    } else if (plan->grid.z == 1) {
      EXPECT_EQ(TimeOf(request, *plan), least);
    } else {
      // z was cut: nothing fits with z whole, or in twice the time.
      EXPECT_TRUE(least == -1 || 2 * TimeOf(request, *plan) <= least);
      double best = std::numeric_limits<double>::infinity();
      for (int64_t z = 2; z <= request.frame.z; ++z) {
        const double time = LeastTime(request, z);
        if (time > 0) best = std::min(best, time);
      }
      EXPECT_EQ(TimeOf(request, *plan), best);
    }
  }
}

TEST(TilePlan, MoreMemoryNeverMeansMoreTime) {
  TilePlanRequest request;
  request.frame = {61, 300, 500};
  request.psf = {15, 21, 25};
  double before = std::numeric_limits<double>::infinity();
  for (int64_t budget = int64_t{4} << 20; budget < int64_t{1} << 30; budget = budget * 5 / 4) {
    request.memory_budget_bytes = budget;
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    if (!plan.ok() || plan->grid.z > 1) continue;
    EXPECT_LE(TimeOf(request, *plan), before);
    before = TimeOf(request, *plan);
  }
  request.whole = true;
  ASSERT_OK_AND_ASSIGN(const TilePlan whole, PlanTiles(request));
  EXPECT_EQ(before, TimeOf(request, whole)) << "the whole frame in the end";
}

// 64 x 512 x 1024 with a small PSF: whole for one worker.
TilePlanRequest WideRequest() {
  TilePlanRequest request;
  request.frame = {64, 512, 1024};
  request.psf = {15, 15, 15};
  return request;
}

TEST(TilePlan, SeveralWorkersAllGetATile) {
  TilePlanRequest request = WideRequest();
  ASSERT_OK_AND_ASSIGN(const TilePlan one, PlanTiles(request));
  EXPECT_EQ(one.tiles(), 1);
  for (const int64_t workers : {2, 3, 4, 8}) {
    request.workers = workers;
    ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
    ExpectSound(request, plan);
    const int64_t turns = (plan.tiles() + workers - 1) / workers;
    const double seconds = TimeOf(request, plan) / static_cast<double>(plan.tiles() * turns);
    EXPECT_GE(plan.tiles(), workers);
    EXPECT_LE(seconds, 1.3 * TimeOf(request, one) / static_cast<double>(workers)) << workers;
    EXPECT_LE(TimeOf(request, plan), 1.5 * TimeOf(request, one)) << workers;
  }
}

TEST(TilePlan, FramesKeepWorkersBusyAsWell) {
  TilePlanRequest request = WideRequest();
  request.workers = 2;
  request.frames = 4;
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  EXPECT_EQ(plan.tiles(), 1) << "a frame for each";
}

TEST(TilePlan, AWideHaloIsNotWorthAnotherWorker) {
  TilePlanRequest request = WideRequest();
  request.frame = {64, 128, 128};
  request.psf = {61, 101, 101};
  request.workers = 8;
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  EXPECT_EQ(plan.tiles(), 1);
}

// Rows that stay whole are written at once.
TEST(TilePlan, OfTwoEqualAxesYIsCut) {
  TilePlanRequest request = WideRequest();
  request.frame = {64, 512, 512};
  request.workers = 2;
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  EXPECT_EQ(plan.grid, (Shape3{1, 2, 1}));
}

TEST(TilePlan, MeasuredCostsDecide) {
  TilePlanRequest request;
  request.frame = {64, 64, 64};
  request.psf = {17, 17, 17};
  ASSERT_OK_AND_ASSIGN(const TilePlan estimated, PlanTiles(request));
  EXPECT_EQ(estimated.padded, (Shape3{80, 80, 80}));
  v1::FftCosts measured;
  for (const auto& [extent, cost] : {std::pair{80U, 2000U}, {81U, 2000U}, {84U, 2000U}, {88U, 1000U}}) {
    v1::FftCost& one = *measured.add_columns();
    one.set_extent(extent);
    one.set_cost(cost);
  }
  ASSERT_OK_AND_ASSIGN(request.costs, FftCosts::FromProto(measured));
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  EXPECT_EQ(plan.padded, (Shape3{88, 88, 80}));
}

// --- Limits and errors ---

TilePlanRequest SmallRequest() {
  TilePlanRequest request;
  request.frame = {4, 4, 4};
  request.psf = {3, 3, 3};
  return request;
}

TEST(TilePlan, OutOfMemorySaysNeedAndBudget) {
  TilePlanRequest request;
  request.frame = {64, 256, 256};
  request.psf = {21, 31, 31};
  request.whole = true;
  request.memory_budget_bytes = 1 << 20;
  const absl::Status status = PlanTiles(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(InfoOf(status).metadata().at("need_bytes"), "130989933");
  EXPECT_EQ(InfoOf(status).metadata().at("budget_bytes"), "1048576");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("84 x 288 x 288"));
}

TEST(TilePlan, ExtremeRequestsNeitherOverflowNorTakeLong) {
  constexpr int64_t kAxis = limits::kAxisVoxels;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  for (const Shape3& frame : {Shape3{16, kAxis, kAxis}, Shape3{kAxis, kAxis, 16}, Shape3{kAxis, 16, kAxis}}) {
    for (const Shape3& psf : {Shape3{1, 1, 1}, Shape3{kAxis, kAxis, kAxis}, Shape3{31, 63, 63}}) {
      for (const int64_t budget : {int64_t{0}, int64_t{1}, int64_t{1} << 33, kMost}) {
        TilePlanRequest request;
        request.frame = frame;
        request.psf = psf;
        request.fixed_bytes = 5;
        request.memory_budget_bytes = budget;
        for (const int64_t millibytes : {int64_t{1}, int64_t{21'000}, kMost}) {
          request.memory.millibytes_per_padded_voxel = millibytes;
          const absl::StatusOr<TilePlan> plan = PlanTiles(request);
          if (!plan.ok()) continue;
          EXPECT_GT(plan->memory_bytes, 0);
          EXPECT_LE(plan->tiles(), limits::kTasksPerJob);
          EXPECT_TRUE(budget == 0 || plan->memory_bytes <= budget);
        }
      }
    }
  }
}

TEST(TilePlan, RefusesRequestsOutOfRange) {
  const TilePlanRequest good = SmallRequest();
  ASSERT_OK(PlanTiles(good));
  const auto reason = [&good](const std::function<void(TilePlanRequest&)>& spoil) {
    TilePlanRequest request = good;
    spoil(request);
    return ReasonOf(PlanTiles(request).status());
  };
  EXPECT_EQ(reason([](auto& r) { r.frame.z = -4; }), v1::INVALID_FIELD);
  EXPECT_EQ(reason([](auto& r) { r.psf.x = std::numeric_limits<int64_t>::max(); }), v1::INVALID_FIELD);
  EXPECT_EQ(reason([](auto& r) { r.boundary = v1::BOUNDARY_UNSPECIFIED; }), v1::INVALID_FIELD);
  EXPECT_EQ(reason([](auto& r) { r.memory.millibytes_per_padded_voxel = 0; }), v1::INVALID_FIELD);
  EXPECT_EQ(reason([](auto& r) { r.fixed_bytes = -1; }), v1::INVALID_FIELD);
  EXPECT_EQ(reason([](auto& r) { r.memory_budget_bytes = -1; }), v1::INVALID_FIELD);
  EXPECT_EQ(reason([](auto& r) { r.core = {std::numeric_limits<int64_t>::max(), 1, 1}; }), v1::INVALID_FIELD);
}

TEST(TilePlan, CoreErrorsNameTheField) {
  TilePlanRequest request = SmallRequest();
  request.core = {5, 4, 4};
  const absl::Status status = PlanTiles(request).status();
  EXPECT_EQ(InfoOf(status).field(), "deconvolve.tile.core");
  EXPECT_EQ(std::string(status.message()), "`deconvolve.tile.core` is 5 x 4 x 4, but the frame has 4 x 4 x 4 voxels");
}

// --- Single functions ---

TEST(PaddedExtent, FollowsTheBoundary) {
  constexpr FftAxis kRow = FftAxis::kRow, kColumn = FftAxis::kColumn;
  EXPECT_EQ(PaddedExtent(251, 251, v1::PERIODIC, kRow), 251);
  EXPECT_EQ(PaddedExtent(64, 17, v1::EXTEND, kColumn), 80);
  EXPECT_EQ(PaddedExtent(64, 16, v1::MIRROR, kColumn), 80);
  EXPECT_EQ(PaddedExtent(64, 17, v1::MIRROR, kColumn), 84);
  EXPECT_EQ(PaddedExtent(64, 17, v1::MIRROR, kRow), 96);
  EXPECT_EQ(PaddedExtent(1, 1, v1::EXTEND, kColumn), 1);
  EXPECT_EQ(PaddedExtent(1, 1, v1::MIRROR, kColumn), 1);
}

TEST(ScaledHalo, IsRoundedUpAndBounded) {
  EXPECT_EQ(ScaledHalo({0, 6, 35}, 0), (Shape3{0, 6, 35}));
  EXPECT_EQ(ScaledHalo({0, 6, 35}, 1), (Shape3{0, 6, 35}));
  EXPECT_EQ(ScaledHalo({0, 6, 35}, 1.5), (Shape3{0, 9, 53}));
  EXPECT_EQ(ScaledHalo({1, 1, 1}, 1e300), (Shape3{100, 100, 100}));
  EXPECT_EQ(ScaledHalo({1, 2, 3}, std::nan("")), (Shape3{1, 2, 3}));
}

TEST(HaloExtent, FollowsTheSpreadOfTheLight) {
  EXPECT_EQ(HaloExtent(1, 0), 0);
  EXPECT_EQ(HaloExtent(1, 1), 0);
  EXPECT_EQ(HaloExtent(57, 0), 70);      // not known: as much as any PSF needs
  EXPECT_EQ(HaloExtent(57, 16.45), 70);  // widefield: likewise
  EXPECT_EQ(HaloExtent(61, 7.6), 34);    // a Gaussian
  EXPECT_EQ(HaloExtent(9, 1), 6);        // at least
  EXPECT_EQ(HaloExtent(2, 0.1), 5);      // but never more than for an unknown spread
  for (int64_t psf = 2; psf < 500; ++psf) {
    EXPECT_GE(HaloExtent(psf, 0), psf / 2 + 4) << psf;
    for (const double spread : {0.1, 1.0, 10.0, 1e3}) EXPECT_LE(HaloExtent(psf, spread), HaloExtent(psf, 0)) << psf;
  }
}

TEST(TileBytes, IsThatOfTheRunOrOfTheResultWhicheverIsMore) {
  MethodMemory memory{
      .millibytes_per_padded_voxel = 12'300, .millibytes_per_measured_voxel = 4'000, .bytes_per_weight = 0};
  const Shape3 padded{10, 10, 10}, measured{5, 10, 10}, psf{1, 1, 1};
  EXPECT_EQ(TileBytes(memory, padded, measured, psf), 12'300 + 2'000);
  memory.result_bytes_per_measured_voxel = 8;
  EXPECT_EQ(TileBytes(memory, padded, measured, psf), 12'300 + 4'000);
  memory.millibytes_per_padded_voxel = 16'300;
  EXPECT_EQ(TileBytes(memory, padded, measured, psf), 16'300 + 2'000);
}

TEST(TileBytes, WhatWorksInBoxesTakesOne) {
  MethodMemory memory{.millibytes_per_padded_voxel = 0, .millibytes_per_measured_voxel = 0, .bytes_per_weight = 0};
  memory.box_core = {6, 20, 20};
  memory.box_halo = {1, 2, 3};
  memory.millibytes_per_box_voxel = 10'000;
  EXPECT_EQ(TileBytes(memory, {10, 10, 10}, {5, 10, 10}, {1, 1, 1}), 10 * (6 + 2) * (10 + 4) * (10 + 6));
  EXPECT_EQ(TileBytes(memory, {1000, 1000, 1000}, {5, 10, 10}, {1, 1, 1}), 10 * (6 + 2) * (20 + 4) * (20 + 6));
}

}  // namespace
}  // namespace deconvoy
