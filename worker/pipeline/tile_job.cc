#include "worker/pipeline/tile_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/lanes.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/plane_uploader.h"

namespace deconvoy::worker {
namespace {

absl::Status CheckBoxes(const TileJob& job) {
  const Shape3& loaded = job.loaded.box.shape;
  const bool fits = job.boundary == v1::PERIODIC
                        ? loaded == job.domain
                        : loaded.z <= job.domain.z && loaded.y <= job.domain.y && loaded.x <= job.domain.x;
  if (fits && job.loaded.box.Contains(job.core.box)) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile.loaded"},
                   fmt::format("a tile that loads {}x{}x{} voxels does not fit its core or its domain of {}x{}x{}",
                               loaded.z, loaded.y, loaded.x, job.domain.z, job.domain.y, job.domain.x));
}

absl::Status CheckCounts(const TileJob& job) {
  const auto views = static_cast<int>(job.channels.size());
  const bool joins = job.method->description().joins_channels();
  const auto psfs = static_cast<int>(PsfsOfTile(job.tile.spec(), job.method->description(), views));
  const bool channels = job.tile.channels().empty() || job.tile.channels_size() == views;
  if (job.tile.frames_size() == views && (joins || views == 1) && job.tile.psfs_size() == psfs && channels) {
    return absl::OkStatus();
  }
  return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile"},
                   fmt::format("a tile with {} PSFs, {} frames and {} channels", job.tile.psfs_size(),
                               job.tile.frames_size(), job.tile.channels_size()));
}

// Shifts for each plane of the image, or none.
absl::Status CheckShifts(const TileJob& job) {
  const auto planes = static_cast<int>(job.input->spec().shape().z());
  const auto fits = [planes](int count) { return count == 0 || count == planes; };
  for (const v1::FrameStatistics& frame : job.tile.frames()) {
    if (fits(frame.plane_shift_y_size()) && fits(frame.plane_shift_x_size())) continue;
    return MakeError(
        {.reason = v1::INVALID_FIELD, .field = "task.tile.frames"},
        fmt::format("{} and {} shifts of {} planes", frame.plane_shift_y_size(), frame.plane_shift_x_size(), planes));
  }
  return absl::OkStatus();
}

// Null where nothing is known of the channel's camera.
const v1::ChannelFacts* FactsOf(const v1::TileTask& tile, size_t view) {
  const auto i = static_cast<int>(view);
  return i < tile.channels_size() ? &tile.channels(i) : nullptr;
}

std::vector<CountScale> ScalesOf(const v1::TileTask& tile, size_t views) {
  std::vector<CountScale> scales;
  for (size_t view = 0; view < views; ++view) scales.push_back(ScaleOf(tile.spec(), FactsOf(tile, view)));
  return scales;
}

// Adds the part of a loaded plane that lies in the core. `photons` are those before the read noise rule. Every view,
// and every plane of those that lie between measured ones, has its share of the result's light.
void Measure(const TileJob& job, size_t view, int64_t z, std::span<const float> photons, std::span<const float> m,
             CoreFacts& facts) {
  const Box3 core = job.core_in_domain();
  if (z < core.origin.z || z >= core.end().z) return;
  const double background = job.tile.frames(static_cast<int>(view)).background();
  Lanes lanes;
  for (int64_t y = core.origin.y; y < core.end().y; ++y) {
    const auto row = static_cast<size_t>(y * job.loaded.box.shape.x);
    for (int64_t x = core.origin.x; x < core.end().x; x += kLanes) {
      const auto count = static_cast<size_t>(std::min<int64_t>(kLanes, core.end().x - x));
      std::array<double, kLanes> above{};
      for (size_t i = 0; i < count; ++i) {
        const size_t at = row + static_cast<size_t>(x) + i;
        above[i] = m.empty() || m[at] != 0 ? static_cast<double>(photons[at]) - background : 0;
      }
      lanes.Add(above.data(), count);
    }
  }
  const double share = static_cast<double>(job.upsample()) / static_cast<double>(job.channels.size());
  facts.input_sum += share * lanes.sum() / job.scales[view].gain;
  facts.light = facts.light || lanes.maximum() > 0;
}

// Sum and maximum of the counts in the core's part of a plane.
struct CountFacts {
  uint64_t sum = 0;
  uint64_t maximum = 0;
};

template <typename T>
CountFacts FactsOfCounts(const Box3& core, int64_t columns, std::span<const std::byte> counts) {
  CountFacts facts;
  std::vector<T> row(static_cast<size_t>(core.shape.x));
  for (int64_t y = core.origin.y; y < core.end().y; ++y) {
    const auto at = static_cast<size_t>(y * columns + core.origin.x);
    std::memcpy(row.data(), counts.data() + at * sizeof(T), row.size() * sizeof(T));
    T maximum = 0;
    for (const T count : row) {
      facts.sum += count;
      maximum = std::max(maximum, count);
    }
    facts.maximum = std::max<uint64_t>(facts.maximum, maximum);
  }
  return facts;
}

// As Measure, of counts that become photons on the device.
void MeasureCounts(const TileJob& job, size_t view, int64_t z, std::span<const std::byte> counts, CoreFacts& facts) {
  const Box3 core = job.core_in_domain();
  if (z < core.origin.z || z >= core.end().z) return;
  const int64_t columns = job.loaded.box.shape.x;
  const CountFacts found = job.input->spec().type() == v1::U8 ? FactsOfCounts<uint8_t>(core, columns, counts)
                                                              : FactsOfCounts<uint16_t>(core, columns, counts);
  const CountScale& scale = job.scales[view];
  const double background = job.tile.frames(static_cast<int>(view)).background();
  const auto photons = [&](double count) { return (count - scale.offset_counts) * scale.gain - scale.dark; };
  const auto voxels = static_cast<double>(core.shape.y * core.shape.x);
  const double mean = photons(static_cast<double>(found.sum) / voxels);
  facts.input_sum += voxels * (mean - background) / (scale.gain * static_cast<double>(job.channels.size()));
  const auto brightest = static_cast<float>(photons(static_cast<double>(found.maximum)));
  facts.light = facts.light || static_cast<double>(brightest) - background > 0;
}

}  // namespace

absl::StatusOr<TileJob> MakeTileJob(const v1::Task& task, const v1::TileTask& tile) {
  const v1::DeconvolveSpec& spec = tile.spec();
  const Method* method = FindMethod(spec.method());
  if (method == nullptr) {
    return MakeError({.reason = v1::UNKNOWN_METHOD, .field = "deconvolve.method"},
                     fmt::format("this worker has no method `{}`", Printable(spec.method())));
  }
  ASSIGN_OR_RETURN(Parameters parameters,
                   ResolveParameters(method->description(), {spec.parameters().begin(), spec.parameters().end()}));
  const v1::Boundary boundary = BoundaryOf(spec, *method);
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* mask, FindMask(task, spec));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* flat, FindFlatField(task, spec));
  const v1::VolumeAccess* previous = nullptr;
  if (!tile.previous_volume().empty()) {
    ASSIGN_OR_RETURN(previous, FindInput(task, tile.previous_volume()));
  }
  std::vector<int64_t> channels = ChannelsOf(tile);
  TileJob job{tile,
              method,
              std::move(parameters),
              boundary,
              ScalesOf(tile, channels.size()),
              ToFrameBox(tile.core()),
              ToFrameBox(tile.loaded()),
              ToShape3(tile.padded()),
              input,
              mask,
              flat,
              previous,
              std::move(channels)};
  RETURN_IF_ERROR(CheckCounts(job));
  RETURN_IF_ERROR(CheckShifts(job));
  if (HasMask(spec) && boundary != v1::EXTEND) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "deconvolve.boundary"},
                     "voxels that do not count need the boundary EXTEND");
  }
  RETURN_IF_ERROR(CheckBoxes(job));
  return job;
}

Box3 MeasuredBox(const TileJob& job) {
  return {{}, MeasuredShape(job.boundary, job.domain, job.loaded.box.shape)};
}

// y and m of every view.
absl::StatusOr<std::vector<Measured>> LoadViews(const TileJob& job, TaskContext& context, Ops& ops, CoreFacts& facts) {
  std::vector<Measured> views;
  for (size_t view = 0; view < job.channels.size(); ++view) {
    const v1::FrameStatistics& frame = job.tile.frames(static_cast<int>(view));
    ImageSource from{.image = job.input,
                     .mask = job.mask,
                     .saturation_counts = job.tile.spec().saturation_counts(),
                     .scale = job.scales[view],
                     .upsample = job.upsample(),
                     .loaded = job.loaded,
                     .displacement = DisplacementOf(frame),
                     .fill = static_cast<float>(frame.mean() - job.scales[view].variance())};
    from.loaded.c = job.channels[view];
    const Shape3 image = FrameShape(job.input->spec());
    const CorrectionInputs known{.spec = &job.tile.spec(),
                                 .flat = job.flat,
                                 .channel = FactsOf(job.tile, view),
                                 .frame = &frame,
                                 .columns = image.x};
    const FrameBox region = ImageRegion(job.tile, job.channels[view], image);
    ASSIGN_OR_RETURN(from.correction, CorrectionOf(known, region, context.source()));
    const auto measure = [&](int64_t z, std::span<const float> photons, std::span<const float> m) {
      Measure(job, view, z, photons, m, facts);
    };
    const auto measure_counts = [&](int64_t z, std::span<const std::byte> counts) {
      MeasureCounts(job, view, z, counts, facts);
    };
    ASSIGN_OR_RETURN(views.emplace_back(),
                     LoadMeasured(from, MeasuredBox(job), ops, context.source(), measure, measure_counts));
  }
  return views;
}

// The result of the time point before, as photons; outside its region the mean, from which a first time point starts.
absl::Status LoadPrevious(const TileJob& job, TaskContext& context, Ops& ops, Array& previous) {
  CountScale scale = job.scale();
  scale.dark = 0;
  if (!job.tile.spec().keep_offset()) scale.offset_counts = 0;
  const FrameBox region = PreviousRegion(job.tile);
  const Voxel at = region.box.origin + ResultBox(job.tile.spec(), job.input->spec()).origin - job.loaded.box.origin;
  const Shape3& loaded = job.loaded.box.shape;
  PlaneUploader uploader(ops, loaded, previous);
  std::vector<float> whole(static_cast<size_t>(loaded.y * loaded.x), job.mean());
  for (int64_t z = 0; z < loaded.z; ++z) {
    if (z < at.z || z >= at.z + region.box.shape.z) RETURN_IF_ERROR(uploader.Upload(z, whole));
  }
  const auto take = [&](int64_t z, std::span<float> plane) -> absl::Status {
    RETURN_IF_ERROR(CheckFinite(plane, region, z));
    ToPhotons(scale, plane);
    for (float& v : plane) v = std::max(v, 0.0F);
    const auto columns = static_cast<size_t>(region.box.shape.x);
    for (size_t y = 0; y < static_cast<size_t>(region.box.shape.y); ++y) {
      const size_t row = (static_cast<size_t>(at.y) + y) * static_cast<size_t>(loaded.x) + static_cast<size_t>(at.x);
      std::ranges::copy(plane.subspan(y * columns, columns), whole.begin() + static_cast<std::ptrdiff_t>(row));
    }
    return uploader.Upload(at.z + z, whole);
  };
  return ForEachPlane(context.source(), *job.previous, region, take);
}

Differences DifferencesOf(const TileJob& job) {
  const v1::VoxelSize voxel = OnResultGrid(job.tile.spec(), job.input->spec()).voxel_size();
  const auto factor = [&](double size) {
    return size > 0 && voxel.x_um() > 0 ? static_cast<float>(voxel.x_um() / size) : 1.0F;
  };
  return {.factors = {factor(voxel.z_um()), factor(voxel.y_um()), 1}, .periodic = job.boundary == v1::PERIODIC};
}

}  // namespace deconvoy::worker
