#include "worker/pipeline/tile.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/calibration/cross_validation.h"
#include "worker/calibration/iterations.h"
#include "worker/calibration/judge.h"
#include "worker/calibration/signal_to_noise.h"
#include "worker/calibration/strength.h"
#include "worker/learned/denoiser.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/compared_part.h"
#include "worker/pipeline/depth_blend.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/psf_estimate.h"
#include "worker/pipeline/tile_job.h"
#include "worker/pipeline/tile_output.h"
#include "worker/pipeline/trust.h"

namespace deconvoy::worker {
namespace {

// Hands a method's iterations to the task's context, and their objectives to that and `curve`.
class ContextMonitor : public Monitor {
 public:
  // Of run number `run`, from 0, of `runs` alike. `curve` null: objectives are not the task's, and nobody hears of
  // them.
  ContextMonitor(TaskContext& context, int64_t run, int64_t runs, v1::TileResult* curve)
      : context_(context), run_(run), runs_(runs), curve_(curve) {}
  absl::Status Iterated(const Iteration& iteration) override {
    if (iteration.objective && hears_curve()) {
      context_.Objective(*iteration.objective);
      *curve_->add_objective() = *iteration.objective;
    }
    return context_.Progress(run_ * iteration.total + iteration.done, runs_ * iteration.total);
  }
  bool hears_curve() const override { return curve_ != nullptr; }

 private:
  TaskContext& context_;
  const int64_t run_, runs_;
  v1::TileResult* const curve_;
};

// Empty where no calibration has measured it.
std::span<const double> SignalToNoiseOf(const v1::TileTask& tile) {
  for (const v1::Calibration& calibration : tile.calibrations()) {
    const auto& ratios = calibration.signal_to_noise();
    if (!ratios.empty()) return {ratios.data(), static_cast<size_t>(ratios.size())};
  }
  return {};
}

// What a method is run on.
struct MethodRun {
  Ops& ops;
  const PsfSet& psfs;  // one, or one for each view
  const std::vector<Measured>& views;
  int64_t number = 0;               // from 0
  int64_t of = 1;                   // runs of this task
  const Array* previous = nullptr;  // estimate to start from; null: there is none
  v1::TileResult* curve = nullptr;  // receives the objectives, where they are the task's
  Restorer* restorer = nullptr;     // runs the task's models
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

Problem ProblemOf(const TileJob& job, const MethodRun& run) {
  return {.ops = &run.ops,
          .otf = &run.psfs.otf(0),
          .measured = run.views[0].y.get(),
          .mask = run.views[0].mask.get(),
          .previous = run.previous,
          .boundary = job.boundary,
          .background = job.background(0),
          .mean = job.mean(),
          .variance = job.variance(),
          .psf = run.psfs.facts(0),
          .frame_origin = job.loaded.box.origin,
          .differences = DifferencesOf(job),
          .signal_to_noise = SignalToNoiseOf(job.tile),
          .views = ViewsOf(job, run),
          .restorer = run.restorer};
}

absl::StatusOr<std::unique_ptr<Array>> Estimate(const TileJob& job, TaskContext& context, const MethodRun& run) {
  ContextMonitor monitor(context, run.number, run.of, run.curve);
  return job.method->Run(ProblemOf(job, run), job.parameters, monitor);
}

// The result of the time point before; null where the job has none.
absl::StatusOr<std::unique_ptr<Array>> PreviousOf(const TileJob& job, TaskContext& context, Ops& ops) {
  if (job.previous == nullptr) return nullptr;
  ASSIGN_OR_RETURN(std::unique_ptr<Array> previous, ops.Allocate(MeasuredBox(job)));
  RETURN_IF_ERROR(LoadPrevious(job, context, ops, *previous));
  return previous;
}

// For the results of the depths, none of them in it yet.
DepthBlend BlendOf(const TileJob& job) {
  const auto& depths = job.tile.spec().psf_depths_um();
  const v1::VolumeSpec grid = OnResultGrid(job.tile.spec(), job.input->spec());
  return {{depths.begin(), depths.end()}, grid.voxel_size().z_um(), job.core.box};
}

// Of several depths, the one in the middle of those that count in the core.
int MiddlePsf(const TileJob& job) {
  if (!job.blends()) return 0;
  const std::vector<size_t> used = BlendOf(job).Used();
  return static_cast<int>(used[used.size() / 2]);
}

// What every way to deconvolve a tile works with.
struct Workshop {
  const v1::Task& task;
  const TileJob& job;
  TaskContext& context;
  PsfSet& psfs;
  Backend& backend;
  Ops& ops;
  const std::vector<Measured>& views;
  const CoreFacts& input;
  PieceWriter& writer;
  int threads;              // of the device, for what is summed up beside it
  ModelRestorer* restorer;  // null: no models
};

// One run for each depth that counts in the core. There is no one H that the result could be blurred with and no one
// objective, and so it says nothing about quality and keeps no curve.
absl::Status DeconvolveByDepth(const Workshop& at, v1::TileResult& result) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> previous, PreviousOf(at.job, at.context, at.ops));
  RETURN_IF_ERROR(at.context.BeginComputing());
  DepthBlend blend = BlendOf(at.job);
  const std::vector<size_t> used = blend.Used();
  for (size_t i = 0; i < used.size(); ++i) {
    const v1::PsfReport* const report = &at.job.tile.psfs(static_cast<int>(used[i]));
    RETURN_IF_ERROR(at.psfs.Prepare(at.task, {&report, 1}, at.context.source(), at.ops));
    const MethodRun run{.ops = at.ops,
                        .psfs = at.psfs,
                        .views = at.views,
                        .number = static_cast<int64_t>(i),
                        .of = static_cast<int64_t>(used.size()),
                        .previous = previous.get()};
    ASSIGN_OR_RETURN(const std::unique_ptr<Array> estimate, Estimate(at.job, at.context, run));
    RETURN_IF_ERROR(blend.Add(used[i], *estimate, at.job.core_in_domain(), at.ops));
  }
  at.context.EndComputing();
  const auto read = [&blend](int64_t z, std::span<float> photons) {
    std::ranges::copy(blend.Plane(z), photons.begin());
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CoreOutput output, WriteCore(at.job, at.task, read, {}, at.threads, at.writer));
  RETURN_IF_ERROR(CheckOutput(at.job, at.input, output.counts));
  Report(at.input, output.counts, *result.mutable_statistics());
  *result.mutable_preview() = output.preview;
  return absl::OkStatus();
}

// Single planes of a box of `array`, which stays where it is meanwhile.
CorePlane PlanesOf(Ops& ops, const Array& array, const Box3& box) {
  return [&ops, &array, box](int64_t z, std::span<float> photons) {
    Box3 plane = box;
    plane.origin.z += z;
    plane.shape.z = 1;
    return ops.Download(array, plane, photons);
  };
}

CorePlane CoreOf(const Workshop& at, const Array& array) {
  return PlanesOf(at.ops, array, at.job.core_in_domain());
}

// Writes the result, on a device from where it lies.
absl::StatusOr<CoreOutput> WriteEstimate(const Workshop& at, const Array& estimate) {
  const Measured& first = at.views[0];
  if (at.ops.finishing() != nullptr) return WriteCoreFrom(at.job, at.task, at.ops, estimate, first, at.writer);
  const MeasuredCore measured{.light = CoreOf(at, *first.y),
                              .mask = first.mask == nullptr ? nullptr : CoreOf(at, *first.mask)};
  return WriteCore(at.job, at.task, CoreOf(at, estimate), measured, at.threads, at.writer);
}

// The residuals of all views; that of the only one goes to the output where asked for. `estimate` is spent.
absl::StatusOr<ResidualSums> MeasureResiduals(const Workshop& at, Array& estimate) {
  std::unique_ptr<Array> spare;
  if (at.views.size() > 1) {
    ASSIGN_OR_RETURN(spare, at.ops.Allocate(estimate.box()));
  }
  ResidualSums sums;
  for (size_t view = 0; view < at.views.size(); ++view) {
    const ResidualProblem residual{.ops = &at.ops,
                                   .otf = &at.psfs.otf(view),
                                   .measured = at.views[view].y.get(),
                                   .mask = at.views[view].mask.get(),
                                   .core = at.job.core_in_domain(),
                                   .scale = ResidualScaleOf(at.job, view),
                                   .threads = at.threads};
    PieceWriter* const map = at.job.tile.spec().residual() ? &at.writer : nullptr;
    RETURN_IF_ERROR(MeasureResidual(residual, estimate, spare == nullptr ? estimate : *spare, map, sums));
  }
  return sums;
}

// The planes of the core in values of the loaded box.
CorePlane CoreOf(const TileJob& job, const std::vector<float>& values) {
  return [&job, &values](int64_t z, std::span<float> plane) {
    const Box3 core = job.core_in_domain();
    const Shape3& loaded = job.loaded.box.shape;
    for (int64_t y = 0; y < core.shape.y; ++y) {
      const int64_t row = ((core.origin.z + z) * loaded.y + core.origin.y + y) * loaded.x + core.origin.x;
      std::copy_n(values.begin() + row, core.shape.x, plane.begin() + y * core.shape.x);
    }
    return absl::OkStatus();
  };
}

// How far the models' result is from that of the classical method.
absl::Status CompareWithClassical(const Workshop& at, const Array& estimate, v1::TrustStatistics& trust) {
  ASSIGN_OR_RETURN(const TileJob job, ClassicalJob(at.job));
  ASSIGN_OR_RETURN(const ComparedPart part,
                   ComparedPart::Of(at.task, at.job, job, at.context.source(), at.backend, at.ops, at.psfs, at.views));
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> classical,
                   Estimate(job, at.context, {.ops = part.ops(), .psfs = part.psfs(), .views = part.views()}));
  const Box3 compared{job.core.box.origin - at.job.loaded.box.origin, job.core.box.shape};
  return AddComparison(PlanesOf(at.ops, estimate, compared), PlanesOf(part.ops(), *classical, job.core_in_domain()),
                       compared.shape, trust);
}

// What can be told of the models' result.
absl::Status MeasureTrust(const Workshop& at, const Array& estimate, v1::TrustStatistics& trust) {
  TrustedCore core{.estimate = CoreOf(at, estimate), .spread = {}};
  if (!at.restorer->spread().empty()) core.spread = CoreOf(at.job, at.restorer->spread());
  if (at.job.tile.compare()) RETURN_IF_ERROR(CompareWithClassical(at, estimate, trust));
  for (const v1::ModelUse& use : at.job.tile.models()) {
    CountStrangePatches(at.restorer->patches(), use.facts().patches(), trust);
  }
  return AddTrust(core, at.job.core.box.shape, trust);
}

// The spread of the core in counts, or zeros where there is none.
absl::Status WriteSpread(const TileJob& job, const std::vector<float>* spread, PieceWriter& writer) {
  const Shape3& shape = job.core.box.shape;
  std::vector<float> plane(static_cast<size_t>(shape.y * shape.x));
  for (int64_t z = 0; z < shape.z; ++z) {
    if (spread != nullptr) RETURN_IF_ERROR(CoreOf(job, *spread)(z, plane));
    for (float& v : plane) v /= static_cast<float>(job.scale().gain);
    RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(plane))));
  }
  return absl::OkStatus();
}

// With one PSF, or one for each view.
absl::Status DeconvolveAtOnce(const Workshop& at, v1::TileResult& result) {
  std::vector<const v1::PsfReport*> reports;
  for (const v1::PsfReport& report : at.job.tile.psfs()) reports.push_back(&report);
  RETURN_IF_ERROR(at.psfs.Prepare(at.task, reports, at.context.source(), at.ops));
  ASSIGN_OR_RETURN(std::unique_ptr<Array> previous, PreviousOf(at.job, at.context, at.ops));
  RETURN_IF_ERROR(at.context.BeginComputing());
  const MethodRun run{.ops = at.ops,
                      .psfs = at.psfs,
                      .views = at.views,
                      .previous = previous.get(),
                      .curve = &result,
                      .restorer = at.restorer};
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> estimate, Estimate(at.job, at.context, run));
  previous.reset();
  at.context.EndComputing();
  ASSIGN_OR_RETURN(const CoreOutput output, WriteEstimate(at, *estimate));
  RETURN_IF_ERROR(CheckOutput(at.job, at.input, output.counts));
  Report(at.input, output.counts, *result.mutable_statistics());
  *result.mutable_preview() = output.preview;
  if (at.restorer != nullptr)
    RETURN_IF_ERROR(MeasureTrust(at, *estimate, *result.mutable_statistics()->mutable_trust()));
  ASSIGN_OR_RETURN(const ResidualSums residual, MeasureResiduals(at, *estimate));
  Report(residual, output.noise, *result.mutable_statistics()->mutable_quality());
  if (!at.job.tile.spec().spread()) return absl::OkStatus();
  const std::vector<float>& spread = at.restorer->spread();
  return WriteSpread(at.job, spread.empty() ? nullptr : &spread, at.writer);
}

// A frame without light: it says nothing about quality.
absl::Status WriteDark(const TileJob& job, const v1::Task& task, PieceWriter& writer, v1::TileResult& result) {
  ASSIGN_OR_RETURN(const CoreOutput output, WriteCore(job, task, nullptr, {}, 1, writer));
  if (job.tile.spec().residual()) {
    RETURN_IF_ERROR(WriteDarkResidual(ResidualScaleOf(job, 0), job.core.box.shape, writer));
  }
  if (job.tile.spec().spread()) RETURN_IF_ERROR(WriteSpread(job, nullptr, writer));
  Report({}, output.counts, *result.mutable_statistics());
  *result.mutable_preview() = output.preview;
  return absl::OkStatus();
}

// The task's method with a model for its denoiser.
struct DenoisedMethod {
  std::unique_ptr<const learned::LearnedDenoiser> denoiser;
  std::unique_ptr<const Method> method;  // uses it

  // Errors: INVALID_FIELD (the model takes no noise out). The model must outlive it. REQUIRES: the method takes one.
  static absl::StatusOr<DenoisedMethod> Of(const TileJob& job, const learned::Model& model) {
    DenoisedMethod denoised;
    ASSIGN_OR_RETURN(denoised.denoiser, learned::LearnedDenoiser::Of(model));
    denoised.method = MethodWithDenoiser(job.method->description().name(), *denoised.denoiser);
    return denoised;
  }
};

// What the task's models see: y, which has the read noise's variance added.
learned::Scale ModelScaleOf(const TileJob& job) {
  const v1::ModelScale& scale = job.tile.model_scale();
  return {.offset = static_cast<float>(scale.offset_photons() + job.scale().variance()),
          .range = static_cast<float>(scale.range_photons())};
}

// Models are for a method that needs them, one for a method that takes a denoiser; scales and spreads for the former.
absl::Status CheckModelUse(const TileJob& job) {
  const v1::Method& method = job.method->description();
  const int models = job.tile.models_size();
  const bool counts = method.needs_models() ? models > 0 : models <= (method.takes_denoiser() ? 1 : 0);
  const bool scaled = job.tile.model_scale().range_photons() > 0;
  if (counts && scaled == method.needs_models() && (scaled || !job.tile.spec().spread())) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .field = "task.tile.models"},
                   "a tile whose models, scale and method do not go together");
}

}  // namespace

void TilePipeline::Release() {
  models_.Clear();
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

absl::Status TilePipeline::LoadModels(const v1::Task& task, TaskContext& context) {
  learned::SetThreads(static_cast<int>(backend_.threads()));
  return models_.Load(task, context);
}

absl::StatusOr<v1::TaskResult> TilePipeline::Run(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(TileJob job, MakeTileJob(task, task.tile()));
  RETURN_IF_ERROR(CheckModelUse(job));
  PieceWriter writer(task, context.sink());
  v1::TaskResult result;
  v1::TileResult& tile = *result.mutable_tile();
  if (job.mean() > 0) {
    RETURN_IF_ERROR(OpenDomain(job.domain));
    CoreFacts input;
    ASSIGN_OR_RETURN(const std::vector<Measured> views, LoadViews(job, context, *ops_, input));
    std::optional<ModelRestorer> restorer;
    DenoisedMethod denoised;
    if (!task.tile().models().empty()) {
      RETURN_IF_ERROR(LoadModels(task, context));
      if (job.method->description().needs_models()) {
        restorer.emplace(models_.models(), ModelScaleOf(job));
      } else {
        ASSIGN_OR_RETURN(denoised, DenoisedMethod::Of(job, *models_.models().front()));
        job.method = denoised.method.get();
      }
    }
    const Workshop workshop{task,
                            job,
                            context,
                            psfs_,
                            backend_,
                            *ops_,
                            views,
                            input,
                            writer,
                            backend_.threads(),
                            restorer ? &*restorer : nullptr};
    RETURN_IF_ERROR(job.blends() ? DeconvolveByDepth(workshop, tile) : DeconvolveAtOnce(workshop, tile));
  } else {
    RETURN_IF_ERROR(WriteDark(job, task, writer, tile));
  }
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

namespace {

// The strength, and then with it the iterations, as far as they are automatic. Spends the measured values.
absl::Status CalibrateByHeldOut(const TileJob& job, const CalibrationSample& sample, TaskContext& context,
                                v1::CalibrateResult& found) {
  const bool strength = job.parameters.IsAuto(kLambda), iterations = job.parameters.IsAuto(kIterations);
  if (!strength && !iterations) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Judge judge, Judge::Of(sample, *job.method));
  Parameters parameters = job.parameters;
  const int64_t stages = (strength ? 1 : 0) + (iterations ? 1 : 0);
  if (strength) {
    ContextMonitor monitor(context, 0, stages, nullptr);
    ASSIGN_OR_RETURN(v1::Calibration scores, CalibrateStrength(judge, *job.method, parameters, monitor));
    ASSIGN_OR_RETURN(parameters, WithStrength(*job.method, parameters, scores));
    *found.add_calibrations() = std::move(scores);
  }
  if (!iterations) return absl::OkStatus();
  ContextMonitor monitor(context, stages - 1, stages, nullptr);
  ASSIGN_OR_RETURN(*found.add_calibrations(), CalibrateIterations(judge, *job.method, parameters, monitor));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::TaskResult> TilePipeline::Calibrate(const v1::Task& task, TaskContext& context) {
  const v1::TileTask& tile = task.calibrate().tile();
  ASSIGN_OR_RETURN(const TileJob job, MakeTileJob(task, tile));
  v1::TaskResult result;
  v1::CalibrateResult& found = *result.mutable_calibrate();
  if (!(job.mean() > 0)) return result;
  RETURN_IF_ERROR(OpenDomain(job.domain));
  CoreFacts unused;
  ASSIGN_OR_RETURN(const std::vector<Measured> views, LoadViews(job, context, *ops_, unused));
  const v1::PsfReport* const report = &tile.psfs(MiddlePsf(job));
  RETURN_IF_ERROR(psfs_.Prepare(task, {&report, 1}, context.source(), *ops_));
  const CalibrationSample sample{ProblemOf(job, {.ops = *ops_, .psfs = psfs_, .views = views}), views[0].y.get(),
                                 job.loaded.box.shape};
  const bool filters = !job.method->PenaltyOf({1, 1, 1}).empty();
  if (job.parameters.IsAuto(kLambda) && filters) {
    ASSIGN_OR_RETURN(*found.add_calibrations(), CrossValidate(sample, *job.method));
  }
  if (job.parameters.IsAuto("nsr")) {
    ASSIGN_OR_RETURN(*found.add_calibrations(), MeasureSignalToNoise(sample));
  }
  if (!filters) RETURN_IF_ERROR(CalibrateByHeldOut(job, sample, context, found));
  for (v1::Calibration& calibration : *found.mutable_calibrations()) {
    calibration.set_c(static_cast<uint32_t>(job.core.c));
  }
  return result;
}

absl::StatusOr<v1::TaskResult> TilePipeline::EstimatePsf(const v1::Task& task, TaskContext& context) {
  const v1::TileTask& tile = task.estimate_psf().tile();
  ASSIGN_OR_RETURN(const TileJob job, MakeTileJob(task, tile));
  if (!job.method->description().estimates_psf() || tile.psfs_size() != 1) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "task.estimate_psf"},
                     "a PSF is to be estimated by a method that does not, or from several");
  }
  ASSIGN_OR_RETURN(const PreparedPsf given, ReadGivenPsf(task, context.source()));
  v1::TaskResult result;
  std::optional<EstimatedPsf> estimate;
  if (job.mean() > 0) {
    psfs_.Clear();
    RETURN_IF_ERROR(OpenDomain(job.domain));
    CoreFacts unused;
    ASSIGN_OR_RETURN(const std::vector<Measured> views, LoadViews(job, context, *ops_, unused));
    ASSIGN_OR_RETURN(const std::optional<KnownOptics> optics,
                     OpticsOfTask(task, job.input->spec(), backend_.threads()));
    const Problem problem{.ops = ops_.get(),
                          .measured = views[0].y.get(),
                          .mask = views[0].mask.get(),
                          .boundary = job.boundary,
                          .background = job.background(0),
                          .mean = job.mean(),
                          .variance = job.variance(),
                          .frame_origin = job.loaded.box.origin,
                          .differences = DifferencesOf(job),
                          .optics = optics ? &*optics : nullptr};
    EstimationMonitor monitor(context, *result.mutable_estimate_psf()->mutable_estimate());
    ASSIGN_OR_RETURN(estimate, job.method->EstimatePsf(problem, given, job.parameters, monitor));
  }
  RETURN_IF_ERROR(WritePsfEstimate(task, given, estimate, context.sink(), result));
  return result;
}

}  // namespace deconvoy::worker
