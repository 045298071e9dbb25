#include "worker/pipeline/tile.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/lanes.h"
#include "worker/methods/method.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/depth_blend.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/measured.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/plane_uploader.h"

namespace deconvoy::worker {
namespace {

// A TILE task in the terms of this program.
struct TileJob {
  const v1::TileTask& tile;
  const Method* method;
  Parameters parameters;
  v1::Boundary boundary;
  CountScale scale;
  FrameBox core;
  FrameBox loaded;
  Shape3 domain;
  const v1::VolumeAccess* input;
  const v1::VolumeAccess* mask;      // null: none
  const v1::VolumeAccess* previous;  // null: none
  std::vector<int64_t> channels;     // of the input: one, or each view's

  bool blends() const { return !method->description().joins_channels() && tile.psfs_size() > 1; }
  int64_t upsample() const { return AxialUpsample(tile.spec()); }
  float background(size_t view) const {
    return static_cast<float>(tile.frames(static_cast<int>(view)).background() + scale.variance());
  }
  // Of the frames that are read, over which it is the mean.
  float mean() const { return MeanOf(&v1::FrameStatistics::mean); }
  float variance() const { return MeanOf(&v1::FrameStatistics::variance); }
  float MeanOf(double (v1::FrameStatistics::*fact)() const) const {
    double sum = 0;
    for (const v1::FrameStatistics& frame : tile.frames()) sum += (frame.*fact)();
    return static_cast<float>(sum / tile.frames_size());
  }
  // The core inside the domain.
  Box3 core_in_domain() const { return {core.box.origin - loaded.box.origin, core.box.shape}; }
};

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
  if (job.tile.frames_size() == views && (joins || views == 1) && job.tile.psfs_size() == psfs) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile"},
                   fmt::format("a tile with {} PSFs and {} frames", job.tile.psfs_size(), job.tile.frames_size()));
}

absl::StatusOr<TileJob> MakeJob(const v1::Task& task) {
  const v1::TileTask& tile = task.tile();
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
  const v1::VolumeAccess* previous = nullptr;
  if (!tile.previous_volume().empty()) {
    ASSIGN_OR_RETURN(previous, FindInput(task, tile.previous_volume()));
  }
  TileJob job{tile,
              method,
              std::move(parameters),
              boundary,
              ScaleOf(spec),
              ToFrameBox(tile.core()),
              ToFrameBox(tile.loaded()),
              ToShape3(tile.padded()),
              input,
              mask,
              previous,
              ChannelsOf(tile)};
  RETURN_IF_ERROR(CheckCounts(job));
  if (HasMask(spec) && boundary != v1::EXTEND) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "deconvolve.boundary"},
                     "voxels that do not count need the boundary EXTEND");
  }
  RETURN_IF_ERROR(CheckBoxes(job));
  return job;
}

// What the core received.
struct CoreFacts {
  double input_sum = 0;  // counts above offset and background, over the voxels that count
  bool light = false;    // some voxel is above the background
};

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
  facts.input_sum += share * lanes.sum() / job.scale.gain;
  facts.light = facts.light || lanes.maximum() > 0;
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
                     .scale = job.scale,
                     .upsample = job.upsample(),
                     .loaded = job.loaded,
                     .fill = static_cast<float>(frame.mean() - job.scale.variance())};
    from.loaded.c = job.channels[view];
    const auto measure = [&](int64_t z, std::span<const float> photons, std::span<const float> m) {
      Measure(job, view, z, photons, m, facts);
    };
    ASSIGN_OR_RETURN(views.emplace_back(), LoadMeasured(from, MeasuredBox(job), ops, context.source(), measure));
  }
  return views;
}

// The result of the time point before, as photons.
absl::Status LoadPrevious(const TileJob& job, TaskContext& context, Ops& ops, Array& previous) {
  CountScale scale = job.scale;
  if (!job.tile.spec().keep_offset()) scale.offset_counts = 0;
  FrameBox region = job.loaded;
  --region.t;
  PlaneUploader uploader(ops, job.loaded.box.shape, previous);
  return ForEachPlane(context.source(), *job.previous, region, [&](int64_t z, std::span<float> plane) {
    RETURN_IF_ERROR(CheckFinite(plane, region, z));
    ToPhotons(scale, plane);
    for (float& v : plane) v = std::max(v, 0.0F);
    return uploader.Upload(z, plane);
  });
}

// Hands a method's iterations to the task's context, and its objective, where it was asked for, to the log.
class ContextMonitor : public Monitor {
 public:
  // Of run number `run`, from 0, of `runs` alike.
  ContextMonitor(TaskContext& context, int64_t run, int64_t runs) : context_(context), run_(run), runs_(runs) {}
  absl::Status Iterated(const Iteration& iteration) override {
    if (iteration.objective) {
      spdlog::info("iteration {} of {}: objective {:.9g}", iteration.done, iteration.total, *iteration.objective);
    }
    return context_.Progress(run_ * iteration.total + iteration.done, runs_ * iteration.total);
  }

 private:
  TaskContext& context_;
  const int64_t run_, runs_;
};

absl::Status BadOutput(const TileJob& job, std::string_view what) {
  return MakeError(
      {.reason = v1::BAD_OUTPUT, .remedy = "Look at background, offset and PSF."},
      fmt::format("method `{}` gave {} in the tile at t={} c={} z={} y={} x={}", job.tile.spec().method(), what,
                  job.core.t, job.core.c, job.core.box.origin.z, job.core.box.origin.y, job.core.box.origin.x));
}

// Fills in plane `z` of the core, as photons.
using CorePlane = std::function<absl::Status(int64_t z, std::span<float> photons)>;

// Converts the core plane by plane. Without `read` it is that of a frame without any light, whose result is zero.
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

void Report(const CoreFacts& input, const CountTotals& output, v1::ResultStatistics& statistics) {
  statistics.set_minimum(output.minimum);
  statistics.set_maximum(output.maximum);
  statistics.set_sum(output.sum);
  statistics.set_clipped_voxels(output.clipped);
  statistics.set_input_sum(input.input_sum);
}

Differences DifferencesOf(const TileJob& job) {
  const v1::VoxelSize voxel = OnResultGrid(job.tile.spec(), job.input->spec()).voxel_size();
  const auto factor = [&](double size) {
    return size > 0 && voxel.x_um() > 0 ? static_cast<float>(voxel.x_um() / size) : 1.0F;
  };
  return {.factors = {factor(voxel.z_um()), factor(voxel.y_um()), 1}, .periodic = job.boundary == v1::PERIODIC};
}

// What a method is run on.
struct MethodRun {
  Ops& ops;
  const PsfSet& psfs;  // one, or one for each view
  const std::vector<Measured>& views;
  int64_t number = 0;  // from 0
  int64_t of = 1;      // runs of this task
};

std::vector<View> ViewsOf(const TileJob& job, const MethodRun& run) {
  std::vector<View> views;
  for (size_t i = 0; job.method->description().joins_channels() && i < run.views.size(); ++i) {
    views.push_back({.otf = &run.psfs.otf(i),
                     .measured = run.views[i].y.get(),
                     .mask = run.views[i].mask.get(),
                     .background = job.background(i)});
  }
  return views;
}

absl::StatusOr<std::unique_ptr<Array>> Estimate(const TileJob& job, TaskContext& context, const MethodRun& run) {
  std::unique_ptr<Array> previous;
  if (job.previous != nullptr) {
    ASSIGN_OR_RETURN(previous, run.ops.Allocate(MeasuredBox(job)));
    RETURN_IF_ERROR(LoadPrevious(job, context, run.ops, *previous));
  }
  ContextMonitor monitor(context, run.number, run.of);
  return job.method->Run({.ops = &run.ops,
                          .otf = &run.psfs.otf(0),
                          .measured = run.views[0].y.get(),
                          .mask = run.views[0].mask.get(),
                          .previous = previous.get(),
                          .boundary = job.boundary,
                          .background = job.background(0),
                          .mean = job.mean(),
                          .variance = job.variance(),
                          .psf = run.psfs.facts(0),
                          .frame_origin = job.loaded.box.origin,
                          .differences = DifferencesOf(job),
                          .views = ViewsOf(job, run)},
                         job.parameters, monitor);
}

// One run for each depth that counts in the core.
absl::StatusOr<DepthBlend> EstimateByDepth(const v1::Task& task, const TileJob& job, TaskContext& context, PsfSet& psfs,
                                           Ops& ops, const std::vector<Measured>& views) {
  const auto& depths = job.tile.spec().psf_depths_um();
  const v1::VolumeSpec grid = OnResultGrid(job.tile.spec(), job.input->spec());
  DepthBlend blend({depths.begin(), depths.end()}, grid.voxel_size().z_um(), job.core.box);
  const std::vector<size_t> used = blend.Used();
  for (size_t i = 0; i < used.size(); ++i) {
    const v1::PsfReport* const report = &job.tile.psfs(static_cast<int>(used[i]));
    RETURN_IF_ERROR(psfs.Prepare(task, {&report, 1}, context.source(), ops));
    const MethodRun run{.ops = ops,
                        .psfs = psfs,
                        .views = views,
                        .number = static_cast<int64_t>(i),
                        .of = static_cast<int64_t>(used.size())};
    ASSIGN_OR_RETURN(const std::unique_ptr<Array> estimate, Estimate(job, context, run));
    RETURN_IF_ERROR(blend.Add(used[i], *estimate, job.core_in_domain(), ops));
  }
  return blend;
}

// With one PSF, or one for each view.
absl::StatusOr<std::unique_ptr<Array>> EstimateAtOnce(const v1::Task& task, const TileJob& job, TaskContext& context,
                                                      PsfSet& psfs, Ops& ops, const std::vector<Measured>& views) {
  std::vector<const v1::PsfReport*> reports;
  for (const v1::PsfReport& report : job.tile.psfs()) reports.push_back(&report);
  RETURN_IF_ERROR(psfs.Prepare(task, reports, context.source(), ops));
  return Estimate(job, context, {.ops = ops, .psfs = psfs, .views = views});
}

}  // namespace

void TilePipeline::Release() {
  psfs_.Clear();
  ops_.reset();
  domain_ = {};
}

absl::Status TilePipeline::OpenDomain(const Shape3& domain) {
  if (ops_ != nullptr && domain == domain_) return absl::OkStatus();
  Release();
  ASSIGN_OR_RETURN(ops_, backend_.Open(domain));
  domain_ = domain;
  return absl::OkStatus();
}

absl::StatusOr<v1::TaskResult> TilePipeline::Run(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(const TileJob job, MakeJob(task));
  PieceWriter writer(task, context.sink());
  CoreFacts input;
  CountTotals output;
  if (!(job.mean() > 0)) {
    ASSIGN_OR_RETURN(output, WriteCore(job, task, nullptr, writer));
  } else {
    RETURN_IF_ERROR(OpenDomain(job.domain));
    ASSIGN_OR_RETURN(std::vector<Measured> views, LoadViews(job, context, *ops_, input));
    if (job.blends()) {
      ASSIGN_OR_RETURN(const DepthBlend blend, EstimateByDepth(task, job, context, psfs_, *ops_, views));
      views.clear();
      const auto read = [&blend](int64_t z, std::span<float> photons) {
        std::ranges::copy(blend.Plane(z), photons.begin());
        return absl::OkStatus();
      };
      ASSIGN_OR_RETURN(output, WriteCore(job, task, read, writer));
    } else {
      ASSIGN_OR_RETURN(const std::unique_ptr<Array> estimate, EstimateAtOnce(task, job, context, psfs_, *ops_, views));
      views.clear();
      const auto read = [&](int64_t z, std::span<float> photons) {
        Box3 plane = job.core_in_domain();
        plane.origin.z += z;
        plane.shape.z = 1;
        return ops_->Download(*estimate, plane, photons);
      };
      ASSIGN_OR_RETURN(output, WriteCore(job, task, read, writer));
    }
  }
  RETURN_IF_ERROR(CheckOutput(job, input, output));
  v1::TaskResult result;
  Report(input, output, *result.mutable_tile()->mutable_statistics());
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
