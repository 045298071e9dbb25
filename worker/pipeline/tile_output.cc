#include "worker/pipeline/tile_output.h"

#include <fmt/format.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

// Every how many planes of a frame flat regions are looked for.
constexpr int64_t kFlatPlanes = 4;

absl::Status BadOutput(const TileJob& job, std::string_view what) {
  return MakeError(
      {.reason = v1::BAD_OUTPUT, .remedy = "Look at background, offset and PSF."},
      fmt::format("method `{}` gave {} in the tile at t={} c={} z={} y={} x={}", job.tile.spec().method(), what,
                  job.core.t, job.core.c, job.core.box.origin.z, job.core.box.origin.y, job.core.box.origin.x));
}

}  // namespace

absl::StatusOr<CountTotals> WriteCore(const TileJob& job, const v1::Task& task, const CorePlane& read,
                                      PieceWriter& writer) {
  const v1::VoxelType type = task.outputs(0).type();
  const Shape3& core = job.core.box.shape;
  std::vector<float> photons(static_cast<size_t>(core.y * core.x));
  std::vector<std::byte> raw(photons.size() * static_cast<size_t>(BytesPerVoxel(type)));
  CountTotals totals;
  for (int64_t z = 0; z < core.z; ++z) {
    if (read) RETURN_IF_ERROR(read(z, photons));
    totals.Merge(ToCounts(job.scale, job.tile.spec().keep_offset(), photons, type, raw));
    RETURN_IF_ERROR(writer.Append(raw));
  }
  return totals;
}

absl::Status CheckOutput(const TileJob& job, const CoreFacts& input, const CountTotals& output) {
  if (output.not_finite > 0)
    return BadOutput(job, fmt::format("{} voxels that are NaN or infinite", output.not_finite));
  if (output.all_zero && input.light)
    return BadOutput(job, "nothing but zeros, though there is light above the background,");
  return absl::OkStatus();
}

absl::Status AddNoise(const TileJob& job, Ops& ops, const Array& y, int64_t z, std::span<const float> result,
                      NoiseSums& noise) {
  const v1::FrameStatistics& frame = job.tile.frames(0);
  Box3 plane = job.core_in_domain();
  plane.origin.z += z;
  plane.shape.z = 1;
  AddRings(result, plane.shape.x, frame.maximum() - frame.background(), noise);
  if ((job.core.box.origin.z + z) % kFlatPlanes != 0) return absl::OkStatus();
  std::vector<float> image(result.size());
  RETURN_IF_ERROR(ops.Download(y, plane, image));
  AddFlat(image, result, plane.shape.x, noise);
  return absl::OkStatus();
}

ResidualScale ResidualScaleOf(const TileJob& job, size_t view) {
  const v1::FrameStatistics& frame = job.tile.frames(static_cast<int>(view));
  return {.floor = ResidualFloor(frame.mean()),
          .background = frame.background() + job.scale.variance(),
          .brightest = frame.maximum() + job.scale.variance()};
}

void Report(const ResidualSums& residual, const NoiseSums& noise, v1::QualityStatistics& quality) {
  quality.set_voxels(residual.voxels);
  quality.set_residual_sum(residual.sum);
  quality.set_residual_squares(residual.squares);
  quality.set_neighbours(residual.neighbours);
  quality.set_neighbour_products(residual.products);
  quality.set_flat_voxels(noise.flat_voxels);
  quality.set_flat_squares_before(noise.flat_before);
  quality.set_flat_squares_after(noise.flat_after);
  quality.set_faint_voxels(residual.faint_voxels);
  quality.set_faint_light_before(residual.faint_light);
  quality.set_faint_light_after(residual.faint_model);
  quality.set_ring_voxels(noise.ring_voxels);
}

void Report(const CoreFacts& input, const CountTotals& output, v1::ResultStatistics& statistics) {
  statistics.set_minimum(output.minimum);
  statistics.set_maximum(output.maximum);
  statistics.set_sum(output.sum);
  statistics.set_clipped_voxels(output.clipped);
  statistics.set_input_sum(input.input_sum);
}

}  // namespace deconvoy::worker
