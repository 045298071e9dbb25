#include "server/jobs/tile_planning.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

v1::Method MethodWith(double halo_factor) {
  v1::Method method;
  method.set_name("any");
  method.add_boundaries(v1::EXTEND);
  method.set_halo_factor(halo_factor);
  method.set_bytes_per_padded_voxel(4);
  return method;
}

Shape3 HaloWith(double halo_factor, const Shape3& known, v1::Boundary boundary = v1::EXTEND) {
  v1::DeconvolveSpec spec;
  spec.set_boundary(boundary);
  spec.mutable_tile()->mutable_core()->set_z(20);
  spec.mutable_tile()->mutable_core()->set_y(50);
  spec.mutable_tile()->mutable_core()->set_x(50);
  const auto plan = PlanJobTiles(
      spec, MethodWith(halo_factor),
      {.frame = {40, 200, 200}, .given_psf = {9, 15, 15}, .psf = {9, 15, 15}, .halo = known, .machine = {}});
  EXPECT_OK(plan);
  return plan->halo;
}

TEST(TilePlanning, AMethodMayNeedAWiderHalo) {
  const Shape3 known{6, 8, 9};
  EXPECT_EQ(HaloWith(0, known), known);
  EXPECT_EQ(HaloWith(1, known), known);
  EXPECT_EQ(HaloWith(1.5, known), (Shape3{9, 12, 14}));
  EXPECT_EQ(HaloWith(0, known, v1::MIRROR), (Shape3{8, 10, 12})) << "a quarter wider";
}

// One iteration reaches as far as the PSF and the model do.
TEST(TilePlanning, AModelForTheDenoiserAddsToTheReachOfAnIteration) {
  v1::DeconvolveSpec spec;
  spec.set_boundary(v1::EXTEND);
  spec.add_models("models/clean/versions/1");
  *spec.mutable_tile()->mutable_core() = ToProto(Shape3{20, 50, 50});
  PlanInputs inputs{.frame = {400, 400, 400},
                    .given_psf = {9, 15, 15},
                    .psf = {9, 15, 15},
                    .halo = {6, 8, 9},
                    .machine = {},
                    .models = {.halo = {8, 8, 20}, .bytes_per_voxel = 400}};
  v1::Method method = MethodWith(2);
  EXPECT_EQ(PlanJobTiles(spec, method, inputs)->halo, (Shape3{12, 16, 20})) << "applied once, beside the PSF's";
  method.set_takes_denoiser(true);
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanJobTiles(spec, method, inputs));
  EXPECT_EQ(plan.halo, (Shape3{28, 32, 58}));
  // It works in boxes of limited extents and its halo: on a larger tile it takes no more.
  const Shape3& most = kDenoisedCore;
  const int64_t box = int64_t{408} * (std::min(plan.padded.z, most.z) + 16) * (std::min(plan.padded.y, most.y) + 16) *
                      (std::min(plan.padded.x, most.x) + 40);
  const int64_t voxels = plan.padded.voxels();
  EXPECT_GE(plan.memory_bytes, box + (4 + 8) * voxels);
  EXPECT_LT(plan.memory_bytes, box + (4 + 8 + 40) * voxels) << "and nothing like 400 bytes for each padded voxel";
}

// --- a machine that loads tiles while it computes others ---

PlanInputs InputsOf(const MachineFacts& machine) {
  return {.frame = {64, 512, 512}, .given_psf = {9, 15, 15}, .psf = {9, 15, 15}, .halo = {6, 8, 9}, .machine = machine};
}

v1::DeconvolveSpec Extended() {
  v1::DeconvolveSpec spec;
  spec.set_boundary(v1::EXTEND);
  return spec;
}

TEST(TilePlanning, TilesThatShareTheMemoryFitTheirPartOfIt) {
  const int64_t whole = PlanJobTiles(Extended(), MethodWith(1), InputsOf({}))->memory_bytes;
  PlanInputs inputs = InputsOf({.memory_budget_bytes = whole, .tile_memory_bytes = whole / 5, .fft_costs = {}});
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanJobTiles(Extended(), MethodWith(1), inputs));
  EXPECT_LE(plan.memory_bytes, whole / 5);
  inputs.machine.tile_memory_bytes = 0;
  EXPECT_EQ(PlanJobTiles(Extended(), MethodWith(1), inputs)->tiles(), 1);
}

// What would wait for a single tile to be loaded and unloaded is less for several, whose halos cost less than that.
TEST(TilePlanning, AFrameIsCutSoThatItsTilesAreLoadedBesideOneAnother) {
  constexpr int64_t kPlenty = int64_t{1} << 36;
  PlanInputs inputs = InputsOf({.memory_budget_bytes = kPlenty, .tile_memory_bytes = kPlenty / 2, .fft_costs = {}});
  ASSERT_OK_AND_ASSIGN(const TilePlan cut, PlanJobTiles(Extended(), MethodWith(1), inputs));
  EXPECT_GT(cut.tiles(), 1);
  inputs.frames = 100;
  ASSERT_OK_AND_ASSIGN(const TilePlan frames, PlanJobTiles(Extended(), MethodWith(1), inputs));
  EXPECT_EQ(frames.tiles(), 1) << "one frame is loaded beside another";
  v1::DeconvolveSpec asked = Extended();
  asked.mutable_tile()->set_whole(true);
  EXPECT_EQ(PlanJobTiles(asked, MethodWith(1), InputsOf(inputs.machine))->tiles(), 1);
  v1::DeconvolveSpec learned = Extended();
  learned.add_models("models/clean/versions/1");
  EXPECT_EQ(PlanJobTiles(learned, MethodWith(1), InputsOf(inputs.machine))->tiles(), 1) << "models work alone";
}

TEST(TilePlanning, WhatCannotBeCutHasTheWholeMemory) {
  const v1::Method uncut = MethodWith(kWholeFrames);
  const int64_t need = PlanJobTiles(Extended(), uncut, InputsOf({}))->memory_bytes;
  const auto plan = [&](int64_t memory) {
    return PlanJobTiles(Extended(), uncut,
                        InputsOf({.memory_budget_bytes = memory, .tile_memory_bytes = memory / 2, .fft_costs = {}}));
  };
  ASSERT_OK_AND_ASSIGN(const TilePlan found, plan(need));
  EXPECT_EQ(found.memory_bytes, need);
  EXPECT_EQ(ReasonOf(plan(need - 1).status()), v1::OUT_OF_MEMORY);
}

TEST(TilePlanning, AMethodMayNeedWholeFrames) {
  v1::DeconvolveSpec spec;
  spec.set_boundary(v1::EXTEND);
  const v1::Method method = MethodWith(kWholeFrames);
  PlanInputs inputs{.frame = {40, 200, 200},
                    .given_psf = {9, 15, 15},
                    .psf = {9, 15, 15},
                    .halo = {6, 8, 9},
                    .machine = {},
                    .workers = 8};
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanJobTiles(spec, method, inputs));
  EXPECT_EQ(plan.core, inputs.frame);
  EXPECT_GT(PlanJobTiles(spec, MethodWith(1), inputs)->tiles(), 1) << "another method's tiles serve eight workers";
  inputs.machine.memory_budget_bytes = plan.memory_bytes - 1;
  const absl::Status too_large = PlanJobTiles(spec, method, inputs).status();
  EXPECT_EQ(ReasonOf(too_large), v1::OUT_OF_MEMORY);
  EXPECT_NE(too_large.message().find("the method needs the whole frame at once"), std::string::npos) << too_large;
  EXPECT_OK(PlanJobTiles(spec, MethodWith(1), inputs));
}

TEST(TilePlanning, AMethodThatNeedsWholeFramesIsNotCut) {
  v1::DeconvolveSpec spec;
  spec.set_boundary(v1::EXTEND);
  *spec.mutable_tile()->mutable_core() = ToProto(Shape3{20, 50, 50});
  const PlanInputs inputs{
      .frame = {40, 200, 200}, .given_psf = {9, 15, 15}, .psf = {9, 15, 15}, .halo = {6, 8, 9}, .machine = {}};
  const absl::Status refused = PlanJobTiles(spec, MethodWith(kWholeFrames), inputs).status();
  EXPECT_EQ(ReasonOf(refused), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(refused).field(), "deconvolve.tile.core") << refused;
  *spec.mutable_tile()->mutable_core() = ToProto(inputs.frame);
  EXPECT_OK(PlanJobTiles(spec, MethodWith(kWholeFrames), inputs));
}

TEST(TilePlanning, AWiderHaloIsPlannedBeforeTheSpreadIsKnown) {
  const Shape3 unknown = HaloWith(0, {}), wider = HaloWith(2, {});
  EXPECT_EQ(unknown, (Shape3{HaloExtent(9, 0), HaloExtent(15, 0), HaloExtent(15, 0)}));
  EXPECT_EQ(wider, (Shape3{2 * unknown.z, 2 * unknown.y, 2 * unknown.x}));
}

}  // namespace
}  // namespace deconvoy::server
