#include "worker/pipeline/tile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/lanes.h"
#include "worker/imaging/result_noise.h"
#include "worker/methods/method.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/plane_uploader.h"
#include "worker/pipeline/residual_map.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

// Every how many planes of a frame flat regions are looked for.
constexpr int64_t kFlatPlanes = 4;

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
  const v1::VolumeAccess* previous;  // null: none

  float background() const { return static_cast<float>(tile.frames(0).background() + scale.variance()); }
  // The core inside the domain.
  Box3 core_in_domain() const { return {core.box.origin - loaded.box.origin, core.box.shape}; }
  bool wants_residual() const { return tile.spec().residual(); }
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
              previous};
  if (tile.psfs_size() != 1 || tile.frames_size() != 1) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile"},
                     fmt::format("a tile with {} PSFs and {} frames", tile.psfs_size(), tile.frames_size()));
  }
  RETURN_IF_ERROR(CheckBoxes(job));
  return job;
}

// What the core received.
struct CoreFacts {
  double input_sum = 0;  // counts above offset and background
  bool light = false;    // some voxel is above the background
};

// Adds the part of a loaded plane that lies in the core. `photons` are those before the read noise rule.
void Measure(const TileJob& job, int64_t z, std::span<const float> photons, CoreFacts& facts) {
  const Box3 core = job.core_in_domain();
  if (z < core.origin.z || z >= core.end().z) return;
  const double background = job.tile.frames(0).background();
  Lanes lanes;
  for (int64_t y = core.origin.y; y < core.end().y; ++y) {
    const float* row = photons.data() + y * job.loaded.box.shape.x;
    for (int64_t x = core.origin.x; x < core.end().x; x += kLanes) {
      const auto count = static_cast<size_t>(std::min<int64_t>(kLanes, core.end().x - x));
      std::array<double, kLanes> above{};
      for (size_t i = 0; i < count; ++i) above[i] = static_cast<double>(row[static_cast<size_t>(x) + i]) - background;
      lanes.Add(above.data(), count);
    }
  }
  facts.input_sum += lanes.sum() / job.scale.gain;
  facts.light = facts.light || lanes.maximum() > 0;
}

absl::StatusOr<std::unique_ptr<Array>> AllocateMeasured(const TileJob& job, Ops& ops) {
  return ops.Allocate({{}, MeasuredShape(job.boundary, job.domain, job.loaded.box.shape)});
}

absl::StatusOr<CoreFacts> LoadMeasured(const TileJob& job, TaskContext& context, Ops& ops, Array& y) {
  CoreFacts facts;
  PlaneUploader uploader(ops, job.loaded.box.shape, y);
  const auto load = [&](int64_t z, std::span<float> plane) {
    RETURN_IF_ERROR(CheckFinite(plane, job.loaded, z));
    ToPhotons(job.scale, plane);
    Measure(job, z, plane, facts);
    ApplyReadNoise(job.scale, plane);
    return uploader.Upload(z, plane);
  };
  RETURN_IF_ERROR(ForEachPlane(context.source(), *job.input, job.loaded, load));
  return facts;
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

// Hands a method's iterations to the task's context, and its objective, where it was asked for, to the result, too.
class ContextMonitor : public Monitor {
 public:
  ContextMonitor(TaskContext& context, v1::TileResult& result) : context_(context), result_(result) {}
  absl::Status Iterated(const Iteration& iteration) override {
    if (iteration.objective) {
      v1::ObjectiveValue& value = *result_.add_objective();
      value.set_iteration(static_cast<uint32_t>(iteration.done));
      value.set_value(*iteration.objective);
      context_.Objective(*iteration.objective);
    }
    return context_.Progress(iteration.done, iteration.total);
  }

 private:
  TaskContext& context_;
  v1::TileResult& result_;
};

absl::Status BadOutput(const TileJob& job, std::string_view what) {
  return MakeError(
      {.reason = v1::BAD_OUTPUT, .remedy = "Look at background, offset and PSF."},
      fmt::format("method `{}` gave {} in the tile at t={} c={} z={} y={} x={}", job.tile.spec().method(), what,
                  job.core.t, job.core.c, job.core.box.origin.z, job.core.box.origin.y, job.core.box.origin.x));
}

// The core of a result and of its image, on a device.
struct Estimated {
  Ops* ops;
  const Array* x;
  const Array* y;
};

// Adds what a plane of the result, plane `z` of the frame, tells beside its image.
absl::Status AddNoise(const TileJob& job, const Estimated& estimated, int64_t z, const Box3& plane,
                      std::span<const float> result, NoiseSums& noise) {
  const v1::FrameStatistics& frame = job.tile.frames(0);
  AddRings(result, plane.shape.x, frame.maximum() - frame.background(), noise);
  if (z % kFlatPlanes != 0) return absl::OkStatus();
  std::vector<float> image(result.size());
  RETURN_IF_ERROR(estimated.ops->Download(*estimated.y, plane, image));
  AddFlat(image, result, plane.shape.x, noise);
  return absl::OkStatus();
}

// Converts the core plane by plane. `estimated` null: a frame without any light, whose result is zero.
absl::StatusOr<CountTotals> WriteCore(const TileJob& job, const v1::Task& task, const Estimated* estimated,
                                      PieceWriter& writer, NoiseSums& noise) {
  const v1::VoxelType type = task.outputs(0).type();
  Box3 plane = job.core_in_domain();
  plane.shape.z = 1;
  std::vector<float> photons(static_cast<size_t>(plane.shape.voxels()));
  std::vector<std::byte> raw(photons.size() * static_cast<size_t>(BytesPerVoxel(type)));
  CountTotals totals;
  for (int64_t z = 0; z < job.core.box.shape.z; ++z, ++plane.origin.z) {
    if (estimated != nullptr) {
      RETURN_IF_ERROR(estimated->ops->Download(*estimated->x, plane, photons));
      RETURN_IF_ERROR(AddNoise(job, *estimated, job.core.box.origin.z + z, plane, photons, noise));
    }
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

ResidualScale ResidualScaleOf(const TileJob& job) {
  const v1::FrameStatistics& frame = job.tile.frames(0);
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

Differences DifferencesOf(const TileJob& job) {
  const v1::VoxelSize& voxel = job.input->spec().voxel_size();
  const auto factor = [&](double size) {
    return size > 0 && voxel.x_um() > 0 ? static_cast<float>(voxel.x_um() / size) : 1.0F;
  };
  return {.factors = {factor(voxel.z_um()), factor(voxel.y_um()), 1}, .periodic = job.boundary == v1::PERIODIC};
}

absl::StatusOr<std::unique_ptr<Array>> Estimate(const TileJob& job, TaskContext& context, Ops& ops, const Otf& otf,
                                                const PsfFacts& psf, const Array& y, v1::TileResult& result) {
  std::unique_ptr<Array> previous;
  if (job.previous != nullptr) {
    ASSIGN_OR_RETURN(previous, AllocateMeasured(job, ops));
    RETURN_IF_ERROR(LoadPrevious(job, context, ops, *previous));
  }
  ContextMonitor monitor(context, result);
  return job.method->Run({.ops = &ops,
                          .otf = &otf,
                          .measured = &y,
                          .previous = previous.get(),
                          .boundary = job.boundary,
                          .background = job.background(),
                          .mean = static_cast<float>(job.tile.frames(0).mean()),
                          .variance = static_cast<float>(job.tile.frames(0).variance()),
                          .psf = psf,
                          .frame_origin = job.loaded.box.origin,
                          .differences = DifferencesOf(job)},
                         job.parameters, monitor);
}

// What a tile is computed with.
struct Tools {
  Ops* ops;
  const Otf* otf;
  const PsfFacts* psf;
};

absl::Status Deconvolve(const TileJob& job, const v1::Task& task, const Tools& tools, TaskContext& context,
                        PieceWriter& writer, v1::TileResult& result) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> y, AllocateMeasured(job, *tools.ops));
  ASSIGN_OR_RETURN(const CoreFacts input, LoadMeasured(job, context, *tools.ops, *y));
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> x,
                   Estimate(job, context, *tools.ops, *tools.otf, *tools.psf, *y, result));
  NoiseSums noise;
  const Estimated estimated{tools.ops, x.get(), y.get()};
  ASSIGN_OR_RETURN(const CountTotals output, WriteCore(job, task, &estimated, writer, noise));
  RETURN_IF_ERROR(CheckOutput(job, input, output));
  const ResidualProblem residual{tools.ops, tools.otf, y.get(), job.core_in_domain(), ResidualScaleOf(job)};
  ASSIGN_OR_RETURN(const ResidualSums sums, MeasureResidual(residual, *x, job.wants_residual() ? &writer : nullptr));
  Report(input, output, *result.mutable_statistics());
  Report(sums, noise, *result.mutable_statistics()->mutable_quality());
  return absl::OkStatus();
}

// A core without light: it says nothing about quality.
absl::Status WriteDark(const TileJob& job, const v1::Task& task, PieceWriter& writer, v1::TileResult& result) {
  NoiseSums unused;
  ASSIGN_OR_RETURN(const CountTotals output, WriteCore(job, task, nullptr, writer, unused));
  if (job.wants_residual()) RETURN_IF_ERROR(WriteDarkResidual(ResidualScaleOf(job), job.core.box.shape, writer));
  Report({}, output, *result.mutable_statistics());
  return absl::OkStatus();
}

}  // namespace

void TilePipeline::Release() {
  prepared_.clear();
  otf_.reset();
  ops_.reset();
  domain_ = {};
}

absl::Status TilePipeline::Prepare(const v1::Task& task, TaskContext& context) {
  const v1::TileTask& tile = task.tile();
  const Shape3 domain = ToShape3(tile.padded());
  if (ops_ == nullptr || !(domain == domain_)) {
    Release();
    ASSIGN_OR_RETURN(ops_, backend_.Open(domain));
    domain_ = domain;
  }
  const v1::PsfReport& report = tile.psfs(0);
  const std::string key = tile.psf_volume() + ' ' + report.SerializeAsString();
  if (otf_ != nullptr && prepared_ == key) return absl::OkStatus();
  otf_.reset();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* access, FindInput(task, tile.psf_volume()));
  const Shape3 shape = FrameShape(access->spec());
  const Box3 box = PsfBoxToRead(report, shape);
  ASSIGN_OR_RETURN(const std::vector<float> read, ReadRegion(context.source(), *access, {report.t(), report.c(), box}));
  ASSIGN_OR_RETURN(const PreparedPsf psf, PreparePsf(read, shape, report));
  ASSIGN_OR_RETURN(otf_, ops_->MakeOtf(psf.values, psf.shape, psf.centre));
  psf_ = MeasurePsf(psf.values, psf.shape, psf.centre);
  prepared_ = key;
  return absl::OkStatus();
}

absl::StatusOr<v1::TaskResult> TilePipeline::Run(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(const TileJob job, MakeJob(task));
  PieceWriter writer(task, context.sink());
  v1::TaskResult result;
  if (job.tile.frames(0).mean() > 0) {
    RETURN_IF_ERROR(Prepare(task, context));
    RETURN_IF_ERROR(Deconvolve(job, task, {ops_.get(), otf_.get(), &psf_}, context, writer, *result.mutable_tile()));
  } else {
    RETURN_IF_ERROR(WriteDark(job, task, writer, *result.mutable_tile()));
  }
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
