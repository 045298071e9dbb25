// Plans of frames that are computed as they come.
#include <gtest/gtest.h>

#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

TilePlanRequest Growing(const Shape3& frame, const Shape3& psf, const Shape3& halo) {
  TilePlanRequest request;
  request.frame = frame;
  request.psf = psf;
  request.halo = halo;
  request.growing = true;
  return request;
}

TEST(SlabCount, MakesSlabsWorthWhatTheyTakeBesides) {
  EXPECT_EQ(SlabCount(200, 15, 31), 4);  // 30 planes of halo and 15 of the margin: at least 45 each
  EXPECT_EQ(SlabCount(90, 15, 31), 2);
  EXPECT_EQ(SlabCount(60, 15, 31), 2);  // halved, since three eighths of the frame hold the halo
  EXPECT_EQ(SlabCount(60, 22, 31), 2);
  EXPECT_EQ(SlabCount(60, 23, 31), 1);
  EXPECT_EQ(SlabCount(60, 38, 31), 1);  // a widefield PSF spans the stack
  EXPECT_EQ(SlabCount(60, 0, 1), 7);    // planes by themselves, but not one by one
  EXPECT_EQ(SlabCount(1, 0, 1), 1);
  for (int64_t planes = 1; planes < 300; ++planes) {
    for (int64_t halo = 0; halo < 60; ++halo) {
      const int64_t slabs = SlabCount(planes, halo, 2 * halo + 1);
      ASSERT_GE(slabs, 1);
      const int64_t core = (planes + slabs - 1) / slabs;
      const int64_t last = (planes - 1) % core + 1;
      if (slabs > 1) {
        ASSERT_LT(planes - last + halo, planes) << planes << " " << halo << ": the last but one is ready";
      }
      if (slabs > 2) {
        ASSERT_GE(core, 2 * halo) << planes << " " << halo;
      }
    }
  }
}

// When the last plane comes only the last slab is to be computed: the one before it has been ready for long enough.
TEST(SlabPlan, AllButTheLastSlabAreReadyBeforeTheLastPlane) {
  for (const int64_t planes : {60, 64, 100, 200, 333}) {
    for (const int64_t halo : {6, 10, 18}) {
      const Shape3 frame{planes, 256, 256};
      ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(Growing(frame, {31, 31, 31}, {halo, 20, 20})));
      ASSERT_GT(plan.grid.z, 1);
      ASSERT_EQ(plan.grid.y * plan.grid.x, 1);
      for (int64_t slab = 0; slab + 1 < plan.grid.z; ++slab) {
        EXPECT_LT(plan.At(slab, frame).loaded.end().z, planes) << planes << " " << halo << " " << slab;
      }
    }
  }
}

TEST(SlabPlan, WorkersShareASlab) {
  TilePlanRequest request = Growing({100, 1024, 1024}, {15, 15, 15}, {9, 9, 9});
  ASSERT_OK_AND_ASSIGN(const TilePlan alone, PlanTiles(request));
  request.workers = 4;
  request.frames = 10;  // which come one after the other
  ASSERT_OK_AND_ASSIGN(const TilePlan shared, PlanTiles(request));
  EXPECT_EQ(alone.grid, (Shape3{4, 1, 1}));
  EXPECT_EQ(shared.grid.z, 4);
  EXPECT_EQ(shared.grid.y * shared.grid.x, 4);
}

TEST(SlabPlan, FitsIntoTheMemoryThereIs) {
  TilePlanRequest request = Growing({100, 256, 256}, {15, 15, 15}, {9, 9, 9});
  ASSERT_OK_AND_ASSIGN(const TilePlan free, PlanTiles(request));
  request.memory_budget_bytes = free.memory_bytes / 2;
  ASSERT_OK_AND_ASSIGN(const TilePlan small, PlanTiles(request));
  EXPECT_LE(small.memory_bytes, request.memory_budget_bytes);
  EXPECT_GE(small.grid.z, free.grid.z);
}

TEST(SlabPlan, OfARegionIsThatOfItsPlanes) {
  TilePlanRequest request = Growing({200, 256, 256}, {31, 31, 31}, {15, 20, 20});
  request.region = {{100, 0, 0}, {60, 256, 256}};
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  EXPECT_EQ(plan.grid.z, 2);
  EXPECT_EQ(plan.core.z, 30);
  EXPECT_EQ(plan.At(0, request.frame, request.region).loaded.end().z, 145);
  request.region = {{0, 0, 0}, {20, 256, 256}};
  ASSERT_OK_AND_ASSIGN(const TilePlan thin, PlanTiles(request));
  EXPECT_EQ(thin.core.z, 20) << "no more than there is";
}

TEST(SlabPlan, WhatIsAskedForIsDone) {
  TilePlanRequest request = Growing({100, 64, 64}, {15, 15, 15}, {9, 9, 9});
  request.core = {10, 64, 64};
  ASSERT_OK_AND_ASSIGN(const TilePlan given, PlanTiles(request));
  EXPECT_EQ(given.grid, (Shape3{10, 1, 1}));
  request.core = {};
  request.whole = true;
  ASSERT_OK_AND_ASSIGN(const TilePlan whole, PlanTiles(request));
  EXPECT_EQ(whole.tiles(), 1);
  request.whole = false;
  request.boundary = v1::PERIODIC;
  request.halo = {};
  ASSERT_OK_AND_ASSIGN(const TilePlan periodic, PlanTiles(request));
  EXPECT_EQ(periodic.tiles(), 1);
}

}  // namespace
}  // namespace deconvoy
