// Jobs that compute a region only, on the tiles that the server plans for them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/deconvolution.h"
#include "proto/contract/preview.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "tests/unit/worker/support/crop.h"

namespace deconvoy::worker {
namespace {

using testing::Cropped;
using testing::FromBytes;
using testing::MemoryTask;

constexpr Shape3 kFrame{8, 30, 60};
constexpr Box3 kRegion{{2, 5, 21}, {4, 17, 30}};

// What is computed, and how.
struct Job {
  v1::Boundary boundary = v1::EXTEND;
  Box3 region{{}, kFrame};
  Shape3 core{};                  // empty: one tile
  std::vector<float> previous{};  // of the region; empty: none
  std::vector<float> psf = Skewed();
};

// With margins of its extent the two ends of a reflected tile hardly see each other.
std::vector<float> Narrow() {
  std::vector<float> psf(27, 0.003F);
  for (const size_t beside : {4, 10, 12, 14, 16, 22}) psf[beside] = 0.02F;
  psf[13] = 1;
  return psf;
}

class RegionTest : public Tile {
 protected:
  static TilePlanRequest RequestOf(const Job& job) {
    TilePlanRequest request;
    request.frame = kFrame;
    if (!(job.region == Box3{{}, kFrame})) request.region = job.region;
    request.psf = {3, 3, 3};
    request.halo = {8, 12, 12};
    request.boundary = job.boundary;
    request.memory.millibytes_per_padded_voxel = 20'000;
    request.core = job.core;
    request.whole = job.core.empty();
    return request;
  }

  // The task of one tile as the server builds it.
  static void FillTask(const Job& job, const TilePlan& plan, const ::deconvoy::Tile& tile,
                       const std::vector<float>& raw, MemoryTask& task) {
    Setting s;
    s.frame = kFrame;
    s.psf = job.psf;
    s.boundary = job.boundary;
    s.core = tile.core;
    s.loaded = tile.loaded;
    s.parameters["iterations"] = "8";
    const bool chained = !job.previous.empty();
    std::vector<float> frames = raw;
    if (chained) frames.insert(frames.end(), raw.begin(), raw.end());
    if (chained) s.parameters["initial"] = "previous";
    const int64_t times = chained ? 2 : 1;
    Fill(s, frames, task, times);
    v1::TileTask& work = *task.task.mutable_tile();
    *work.mutable_padded() = ToProto(plan.padded);
    *work.mutable_spec()->mutable_region_origin() = ToProto(job.region.origin);
    *work.mutable_spec()->mutable_region_shape() = ToProto(job.region.shape);
    const Box3 piece{tile.core.origin - job.region.origin, tile.core.shape};
    *task.task.mutable_outputs(0)->mutable_box() = ToProto(FrameBox{times - 1, 0, piece});
    work.set_preview_step(static_cast<uint32_t>(PreviewStep(job.region.shape)));
    if (!chained) return;
    std::vector<float> results = job.previous;
    results.resize(2 * results.size());
    const Shape3& r = job.region.shape;
    task.AddInput("volumes/before", {2, 1, r.z, r.y, r.x}, results);
    work.set_previous_volume("volumes/before");
  }

  // The result of a job, put together from its tiles; and whether their previews are the maxima of it.
  std::vector<float> Compute(const Job& job, const std::vector<float>& raw) {
    const auto plan = PlanTiles(RequestOf(job));
    EXPECT_OK(plan);
    std::vector<float> result(static_cast<size_t>(job.region.shape.voxels()), NAN);
    for (int64_t i = 0; i < plan->tiles(); ++i) {
      const ::deconvoy::Tile tile = plan->At(i, kFrame, job.region);
      MemoryTask task;
      FillTask(job, *plan, tile, raw, task);
      const auto done = Run(task);
      EXPECT_OK(done);
      if (!done.ok()) return result;
      const std::vector<float> core = FromBytes<float>(task.output);
      const Box3 piece{tile.core.origin - job.region.origin, tile.core.shape};
      CopyBox(std::as_bytes(std::span(core)).data(), piece, std::as_writable_bytes(std::span(result)).data(),
              {{}, job.region.shape}, sizeof(float));
      ExpectPreview(done->tile().preview(), core, piece);
    }
    return result;
  }

  // The frames are small, so that a pixel is a voxel.
  static void ExpectPreview(const v1::PreviewPart& part, const std::vector<float>& core, const Box3& piece) {
    ASSERT_EQ(part.maximum_size(), piece.shape.y * piece.shape.x);
    EXPECT_EQ(part.y(), piece.origin.y);
    EXPECT_EQ(part.x(), piece.origin.x);
    const auto plane = static_cast<size_t>(part.maximum_size());
    for (size_t i = 0; i < plane; ++i) {
      float most = core[i];
      for (size_t at = i; at < core.size(); at += plane) most = std::max(most, core[at]);
      ASSERT_EQ(part.maximum(static_cast<int>(i)), most) << i;
    }
  }
};

TEST_F(RegionTest, IsTheCropOfTheWholeResultWithEveryBoundary) {
  const std::vector<float> raw = Picture(kFrame);
  for (const v1::Boundary boundary : {v1::EXTEND, v1::MIRROR, v1::PERIODIC}) {
    SCOPED_TRACE(v1::Boundary_Name(boundary));
    const std::vector<float> whole = Compute({.boundary = boundary}, raw);
    const std::vector<float> region = Compute({.boundary = boundary, .region = kRegion}, raw);
    ExpectNear(region, Cropped(whole, kFrame, kRegion), 1e-3);
    if (boundary == v1::PERIODIC) continue;
    const std::vector<float> tiles = Compute({.boundary = boundary, .region = kRegion, .core = {4, 9, 11}}, raw);
    ExpectNear(tiles, Cropped(whole, kFrame, kRegion), 1e-3);
  }
}

// A region at the frame's faces meets the boundary there, and only there.
TEST_F(RegionTest, AtTheFramesFacesTheBoundaryHolds) {
  const std::vector<float> raw = Picture(kFrame, 3);
  for (const v1::Boundary boundary : {v1::EXTEND, v1::MIRROR}) {
    SCOPED_TRACE(v1::Boundary_Name(boundary));
    const std::vector<float> whole = Compute({.boundary = boundary, .psf = Narrow()}, raw);
    for (const Box3& region : {Box3{{0, 0, 0}, {3, 10, 12}}, Box3{{5, 19, 40}, {3, 11, 20}}}) {
      ExpectNear(Compute({.boundary = boundary, .region = region, .psf = Narrow()}, raw),
                 Cropped(whole, kFrame, region), 1e-3);
    }
  }
}

TEST_F(RegionTest, ContinuesFromTheRegionsOwnPreviousResult) {
  const std::vector<float> raw = Picture(kFrame, 5);
  // Where the previous result is a spot, the next one remembers it at the same place of the region.
  std::vector<float> spot(static_cast<size_t>(kRegion.shape.voxels()), static_cast<float>(Mean(raw)));
  const size_t place = (1 * 17 + 8) * 30 + 12;
  spot[place] *= 50;
  const std::vector<float> even(spot.size(), static_cast<float>(Mean(raw)));
  for (const Shape3& core : {Shape3{}, Shape3{4, 9, 11}}) {
    const std::vector<float> with = Compute({.region = kRegion, .core = core, .previous = spot}, raw);
    const std::vector<float> without = Compute({.region = kRegion, .core = core, .previous = even}, raw);
    const std::vector<float> anew = Compute({.region = kRegion, .core = core}, raw);
    ExpectNear(without, anew, 1e-3);
    std::vector<float> gain(with.size());
    for (size_t i = 0; i < with.size(); ++i) gain[i] = with[i] / without[i];
    EXPECT_EQ(std::max_element(gain.begin(), gain.end()) - gain.begin(), static_cast<std::ptrdiff_t>(place));
  }
}

}  // namespace
}  // namespace deconvoy::worker
