// Plans for any numbers: no overflow, no endless search, and what is planned keeps its promises.
#include "proto/contract/limits.h"
#include "proto/contract/tile_plan.h"
#include "tests/fuzz/input.h"

namespace deconvoy {
namespace {

// Small and large extents alike, sometimes out of range.
int64_t TakeExtent(fuzz::Input& input) {
  const auto bits = input.Take<uint8_t>();
  const auto value = input.Take<int32_t>();
  return bits == 255 ? value : (value & ((int64_t{1} << (bits % 22)) - 1)) + 1;
}

Shape3 TakeShape(fuzz::Input& input) {
  const int64_t z = TakeExtent(input), y = TakeExtent(input);
  return {z, y, TakeExtent(input)};
}

TilePlanRequest TakeRequest(fuzz::Input& input) {
  TilePlanRequest request;
  const auto flags = input.Take<uint8_t>();
  request.boundary = static_cast<v1::Boundary>(flags % 5);
  request.whole = (flags & 32U) != 0;
  request.frame = TakeShape(input);
  request.psf = TakeShape(input);
  if ((flags & 64U) != 0) request.core = TakeShape(input);
  if ((flags & 128U) != 0) request.memory.millibytes_per_padded_voxel = input.Take<int64_t>();
  request.memory_budget_bytes = input.Take<int64_t>();
  request.fixed_bytes = input.Take<int64_t>();
  return request;
}

void CheckTile(const TilePlanRequest& request, const TilePlan& plan, int64_t index) {
  const Tile tile = plan.At(index, request.frame);
  fuzz::Require(!tile.core.empty() && tile.loaded.Contains(tile.core), "a tile loads its core");
  fuzz::Require(Box3{{}, request.frame}.Contains(tile.loaded), "a tile loads voxels of the frame");
  const Shape3& loaded = tile.loaded.shape;
  const auto margin = [&](int64_t psf) { return request.boundary == v1::PERIODIC ? 0 : psf / 2; };
  fuzz::Require(plan.padded.z >= loaded.z + margin(request.psf.z) &&
                    plan.padded.y >= loaded.y + margin(request.psf.y) &&
                    plan.padded.x >= loaded.x + margin(request.psf.x),
                "the padded box has room for the PSF");
}

}  // namespace
}  // namespace deconvoy

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  const TilePlanRequest request = TakeRequest(input);
  const auto plan = PlanTiles(request);
  if (!plan.ok()) return 0;
  const int64_t tiles = plan->tiles();
  fuzz::Require(tiles >= 1 && tiles <= limits::kTasksPerJob, "a plan has tiles, but not too many");
  fuzz::Require(request.memory_budget_bytes == 0 || plan->memory_bytes <= request.memory_budget_bytes,
                "a plan keeps the budget");
  for (const int64_t index : {int64_t{0}, tiles / 3, tiles / 2, tiles - 1}) CheckTile(request, *plan, index);
  const Voxel end = plan->At(tiles - 1, request.frame).core.end();
  fuzz::Require(end == Voxel{request.frame.z, request.frame.y, request.frame.x}, "the last core ends with the frame");
  return 0;
}
