#include "worker/pipeline/tile_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/parallel.h"
#include "worker/ops/finishing.h"
#include "worker/pipeline/core_reader.h"
#include "worker/pipeline/preview.h"

namespace deconvoy::worker {
namespace {

// Every how many planes of a frame flat regions are looked for, if they were measured.
constexpr int64_t kFlatPlanes = 4;

int64_t FlatStep(const TileJob& job) {
  return std::lcm(kFlatPlanes, AxialUpsample(job.tile.spec()));
}

bool LooksForFlat(const TileJob& job, int64_t z) {
  return (job.core.box.origin.z + z) % FlatStep(job) == 0;
}

// Light above the background.
double Brightest(const TileJob& job) {
  const v1::FrameStatistics& frame = job.tile.frames(0);
  return frame.maximum() - frame.background();
}

absl::Status BadOutput(const TileJob& job, std::string_view what) {
  return MakeError(
      {.reason = v1::BAD_OUTPUT, .remedy = "Look at background, offset and PSF."},
      fmt::format("method `{}` gave {} in the tile at t={} c={} z={} y={} x={}", job.tile.spec().method(), what,
                  job.core.t, job.core.c, job.core.box.origin.z, job.core.box.origin.y, job.core.box.origin.x));
}

// One plane of the core.
struct OutputPlane {
  OutputPlane(const TileJob& job, v1::VoxelType type)
      : photons(static_cast<size_t>(job.core.box.shape.y * job.core.box.shape.x)),
        raw(photons.size() * static_cast<size_t>(BytesPerVoxel(type))) {}

  // `z` in the core; `m` is scratch.
  absl::Status Load(const TileJob& job, const CorePlane& result, const MeasuredCore& measured, int64_t z,
                    std::vector<float>& m) {
    if (result) RETURN_IF_ERROR(result(z, photons));
    image.resize(measured.light && LooksForFlat(job, z) ? photons.size() : 0);
    if (image.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(measured.light(z, image));
    if (!measured.mask) return absl::OkStatus();
    m.resize(image.size());
    RETURN_IF_ERROR(measured.mask(z, m));
    for (size_t i = 0; i < m.size(); ++i) {
      if (m[i] == 0) image[i] = std::numeric_limits<float>::quiet_NaN();
    }
    return absl::OkStatus();
  }

  void Convert(const TileJob& job, v1::VoxelType type, bool looks_at_noise) {
    const int64_t columns = job.core.box.shape.x;
    output = {};
    if (looks_at_noise) AddRings(photons, columns, Brightest(job), output.noise);
    if (!image.empty()) AddFlat(image, photons, columns, output.noise);
    output.counts = ToCounts(job.scale(), job.tile.spec().keep_offset(), photons, type, raw);
  }

  std::vector<float> photons;
  std::vector<float> image;  // NaN where it was not measured; empty where flat regions are not looked for
  std::vector<std::byte> raw;
  CoreOutput output;
};

}  // namespace

absl::StatusOr<CoreOutput> WriteCore(const TileJob& job, const v1::Task& task, const CorePlane& result,
                                     const MeasuredCore& measured, int threads, PieceWriter& writer) {
  const v1::VoxelType type = task.outputs(0).type();
  const int64_t end = job.core.box.shape.z;
  std::vector<OutputPlane> planes(static_cast<size_t>(std::clamp<int64_t>(threads, 1, end)), OutputPlane(job, type));
  std::vector<float> m;
  PreviewProjection preview(ToFrameBox(task.outputs(0).box()).box, job.tile.preview_step());
  CoreOutput output;
  for (int64_t z = 0; z < end;) {
    size_t count = 0;
    for (; count < planes.size() && z < end; ++count, ++z) {
      RETURN_IF_ERROR(planes[count].Load(job, result, measured, z, m));
    }
    ParallelFor(threads, static_cast<int64_t>(count),
                [&](int64_t i) { planes[static_cast<size_t>(i)].Convert(job, type, measured.light != nullptr); });
    for (const OutputPlane& plane : std::span(planes).first(count)) {
      output.counts.Merge(plane.output.counts);
      output.noise += plane.output.noise;
      preview.AddPlane(plane.raw, type);
      RETURN_IF_ERROR(writer.Append(plane.raw));
    }
  }
  output.preview = preview.Part();
  return output;
}

absl::StatusOr<CoreOutput> WriteCoreFrom(const TileJob& job, const v1::Task& task, Ops& ops, const Array& result,
                                         const Measured& first, PieceWriter& writer) {
  const Box3 core = job.core_in_domain();
  const VoxelRule rule{.type = task.outputs(0).type(),
                       .gain = job.scale().gain,
                       .offset = job.tile.spec().keep_offset() ? job.scale().offset_counts : 0};
  const auto plane_bytes = static_cast<size_t>(core.shape.y * core.shape.x * BytesPerVoxel(rule.type));
  PreviewProjection preview(ToFrameBox(task.outputs(0).box()).box, job.tile.preview_step());
  CoreReader reader(ops, result, core, rule);
  while (true) {
    ASSIGN_OR_RETURN(const std::span<const std::byte> planes, reader.Next());
    if (planes.empty()) break;
    for (size_t at = 0; at < planes.size(); at += plane_bytes) {
      preview.AddPlane(planes.subspan(at, plane_bytes), rule.type);
    }
    RETURN_IF_ERROR(writer.Append(planes));
  }
  CoreOutput output;
  output.preview = preview.Part();
  ASSIGN_OR_RETURN(output.counts, ops.finishing()->CountVoxels(result, core, rule));
  const int64_t step = FlatStep(job), before = job.core.box.origin.z % step;
  const NoiseRule noise{
      .brightest = Brightest(job), .first_plane = before == 0 ? 0 : step - before, .every_planes = step};
  ASSIGN_OR_RETURN(output.noise,
                   ops.finishing()->SumNoise(
                       {.result = &result, .image = first.y.get(), .mask = first.mask.get(), .core = core}, noise));
  return output;
}

absl::Status CheckOutput(const TileJob& job, const CoreFacts& input, const CountTotals& output) {
  if (output.not_finite > 0)
    return BadOutput(job, fmt::format("{} voxels that are NaN or infinite", output.not_finite));
  if (output.all_zero && input.light)
    return BadOutput(job, "nothing but zeros, though there is light above the background,");
  return absl::OkStatus();
}

ResidualScale ResidualScaleOf(const TileJob& job, size_t view) {
  const v1::FrameStatistics& frame = job.tile.frames(static_cast<int>(view));
  return {.floor = ResidualFloor(frame.mean()),
          .background = frame.background() + job.scales[view].variance(),
          .brightest = frame.maximum() + job.scales[view].variance()};
}

void Report(const ResidualSums& residual, const NoiseSums& noise, v1::QualityStatistics& quality) {
  quality.set_voxels(residual.voxels);
  quality.set_residual_sum(residual.sum);
  quality.set_residual_squares(residual.squares);
  quality.set_neighbours(residual.x.count);
  quality.set_neighbour_products(residual.x.products);
  quality.set_neighbours_y(residual.y.count);
  quality.set_neighbour_products_y(residual.y.products);
  quality.set_neighbours_z(residual.z.count);
  quality.set_neighbour_products_z(residual.z.products);
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
