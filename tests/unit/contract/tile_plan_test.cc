#include "proto/contract/tile_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
  v1::Boundary_Parse(value.value("boundary", "EXTEND"), &request.boundary);
  request.millibytes_per_padded_voxel = value.value("millibytes_per_padded_voxel", int64_t{21'000});
  request.fixed_bytes = value.value("fixed_bytes", int64_t{0});
  request.memory_budget_bytes = value.value("memory_budget_bytes", int64_t{0});
  if (value.contains("core")) request.core = ShapeOf(value.at("core"));
  request.whole = value.value("whole", false);
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

int64_t NaiveFast(int64_t n, bool even) {
  while (!IsFast(n) || (even && n % 2 != 0)) ++n;
  return n;
}

void ExpectPaddedBigEnough(const TilePlanRequest& request, int64_t loaded, int64_t psf, int64_t padded, bool even) {
  if (request.boundary == v1::PERIODIC) {
    EXPECT_EQ(padded, loaded);
    return;
  }
  EXPECT_GE(padded, loaded + psf - 1);  // circular convolution then equals linear convolution
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
  ExpectPaddedBigEnough(request, loaded.z, request.psf.z, plan.padded.z, false);
  ExpectPaddedBigEnough(request, loaded.y, request.psf.y, plan.padded.y, false);
  ExpectPaddedBigEnough(request, loaded.x, request.psf.x, plan.padded.x, true);
  const auto voxels = static_cast<double>(plan.padded.voxels());
  EXPECT_NEAR(static_cast<double>(plan.memory_bytes),
              voxels * static_cast<double>(request.millibytes_per_padded_voxel) / 1000 +
                  static_cast<double>(request.fixed_bytes),
              1 + 1e-9 * voxels);
  if (request.memory_budget_bytes > 0) {
    EXPECT_LE(plan.memory_bytes, request.memory_budget_bytes);
  }
}

// Least total padded voxels over every way to cut y and x while z is cut into `z_tiles`, or -1: slow and plain.
int64_t LeastTotal(const TilePlanRequest& request, int64_t z_tiles) {
  int64_t least = -1;
  const auto cut = [&](int64_t frame, int64_t psf, int64_t tiles) {
    TilePlanRequest row;
    row.frame = {1, 1, frame};
    row.psf = {1, 1, psf};
    row.boundary = request.boundary;
    row.core = {1, 1, (frame + tiles - 1) / tiles};
    return PlanTiles(row).value();
  };
  const auto rounded = [&](const TilePlan& row, int64_t frame, int64_t psf, bool even) {
    int64_t loaded = 0;
    for (int64_t i = 0; i < row.tiles(); ++i) loaded = std::max(loaded, row.At(i, {1, 1, frame}).loaded.shape.x);
    const int64_t margin = request.boundary == v1::MIRROR && psf > 1 ? psf : psf - 1;
    return NaiveFast(loaded + margin, even);
  };
  const TilePlan z = cut(request.frame.z, request.psf.z, z_tiles);
  const int64_t pz = rounded(z, request.frame.z, request.psf.z, false);
  for (int64_t ny = 1; ny <= request.frame.y; ++ny) {
    const TilePlan y = cut(request.frame.y, request.psf.y, ny);
    const int64_t py = rounded(y, request.frame.y, request.psf.y, false);
    for (int64_t nx = 1; nx <= request.frame.x; ++nx) {
      const TilePlan x = cut(request.frame.x, request.psf.x, nx);
      const int64_t px = rounded(x, request.frame.x, request.psf.x, true);
      const int64_t memory = (pz * py * px * request.millibytes_per_padded_voxel + 999) / 1000 + request.fixed_bytes;
      if (request.memory_budget_bytes > 0 && memory > request.memory_budget_bytes) continue;
      const int64_t total = z.tiles() * y.tiles() * x.tiles() * pz * py * px;
      if (least < 0 || total < least) least = total;
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
  request.millibytes_per_padded_voxel = upto(40'000);
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

TEST(TilePlan, NoOtherCutOfAWholeZIsCheaper) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  for (int i = 0; i < 40; ++i) {
    TilePlanRequest request = RandomRequest(random, 24);
    request.psf = {1 + request.psf.z / 8, 1 + request.psf.y / 8, 1 + request.psf.x / 8};
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    const int64_t least = LeastTotal(request, 1);
    if (!plan.ok()) {
      EXPECT_EQ(least, -1);
    } else if (plan->grid.z == 1) {
      EXPECT_EQ(plan->tiles() * plan->padded.voxels(), least);
    } else {
      // z was cut: nothing fits with z whole, or at twice the cost.
      EXPECT_TRUE(least == -1 || 2 * plan->tiles() * plan->padded.voxels() <= least);
      EXPECT_EQ(plan->tiles() * plan->padded.voxels(), [&] {
        int64_t best = std::numeric_limits<int64_t>::max();
        for (int64_t z = 2; z <= request.frame.z; ++z) {
          const int64_t total = LeastTotal(request, z);
          if (total > 0) best = std::min(best, total);
        }
        return best;
      }());
    }
  }
}

TEST(TilePlan, MoreMemoryNeverMeansMoreWork) {
  TilePlanRequest request;
  request.frame = {61, 300, 500};
  request.psf = {15, 21, 25};
  int64_t before = std::numeric_limits<int64_t>::max();
  for (int64_t budget = int64_t{4} << 20; budget < int64_t{1} << 30; budget = budget * 5 / 4) {
    request.memory_budget_bytes = budget;
    const absl::StatusOr<TilePlan> plan = PlanTiles(request);
    if (!plan.ok() || plan->grid.z > 1) continue;
    EXPECT_LE(plan->tiles() * plan->padded.voxels(), before);
    before = plan->tiles() * plan->padded.voxels();
  }
  EXPECT_EQ(before, 75 * 320 * 540);  // the whole frame in the end
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
  EXPECT_EQ(InfoOf(status).metadata().at("need_bytes"), "146313216");
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
          request.millibytes_per_padded_voxel = millibytes;
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
  EXPECT_EQ(reason([](auto& r) { r.millibytes_per_padded_voxel = 0; }), v1::INVALID_FIELD);
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

TEST(FastExtent, IsTheNextProductOfSmallPrimes) {
  for (int64_t n = 1; n <= 3000; ++n) {
    EXPECT_EQ(FastExtent(n, false), NaiveFast(n, false)) << n;
    EXPECT_EQ(FastExtent(n, true), NaiveFast(n, true)) << n;
  }
  EXPECT_EQ(FastExtent(int64_t{1} << 40, false), int64_t{1} << 40);
}

TEST(PaddedExtent, FollowsTheBoundary) {
  EXPECT_EQ(PaddedExtent(251, 251, v1::PERIODIC, true), 251);
  EXPECT_EQ(PaddedExtent(64, 17, v1::EXTEND, false), 80);
  EXPECT_EQ(PaddedExtent(64, 16, v1::MIRROR, false), 80);
  EXPECT_EQ(PaddedExtent(64, 17, v1::MIRROR, false), 81);
  EXPECT_EQ(PaddedExtent(64, 17, v1::MIRROR, true), 84);
  EXPECT_EQ(PaddedExtent(1, 1, v1::EXTEND, false), 1);
  EXPECT_EQ(PaddedExtent(1, 1, v1::MIRROR, false), 1);
}

TEST(HaloExtent, CoversHalfThePsfAndASlack) {
  EXPECT_EQ(HaloExtent(1), 0);
  for (int64_t psf = 2; psf < 500; ++psf) EXPECT_GE(HaloExtent(psf), psf / 2 + 4) << psf;
}

}  // namespace
}  // namespace deconvoy
