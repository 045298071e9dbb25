#include "tests/reference/engine.h"

#include <memory>
#include <numeric>
#include <utility>

#include "proto/contract/status_macros.h"
#include "tests/reference/engine_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::reference {
namespace {

class Silent final : public worker::Monitor {
 public:
  absl::Status Iterated(const worker::Iteration&) override { return absl::OkStatus(); }
};

std::vector<float> Floats(const Volume& volume) {
  return {volume.values.begin(), volume.values.end()};
}

Volume VolumeOf(const Shape3& shape, const std::vector<float>& values) {
  Volume volume(shape.z, shape.y, shape.x);
  volume.values.assign(values.begin(), values.end());
  return volume;
}

Shape3 ShapeOf(const Volume& volume) {
  return {volume.nz, volume.ny, volume.nx};
}

worker::PreparedPsf PreparedOf(const Psf& psf) {
  return {Floats(psf.h), ShapeOf(psf.h), {psf.cz, psf.cy, psf.cx}};
}

// A problem on a backend, with all that it points to but what belongs to the run.
class Staged {
 public:
  explicit Staged(const EngineRun& run)
      : box_{run.origin, ShapeOf(run.y)},
        own_backend_(run.backend == nullptr ? MakeEngineBackend(run.threads) : nullptr),
        backend_(run.backend != nullptr ? *run.backend : *own_backend_) {}

  absl::Status Load(const EngineRun& run) {
    ASSIGN_OR_RETURN(ops_, backend_.Open(run.domain));
    ASSIGN_OR_RETURN(const worker::View first, ViewOf(run.y, run.psf, run.background, run.mask));
    const worker::PreparedPsf psf = PreparedOf(run.psf);
    problem_ = {.ops = ops_.get(),
                .otf = first.otf,
                .measured = first.measured,
                .mask = first.mask,
                .boundary = run.boundary,
                .background = first.background,
                .mean = static_cast<float>(run.mean > 0 ? run.mean : MeanOf(run.y)),
                .variance = static_cast<float>(run.variance),
                .psf = worker::MeasurePsf(psf.values, psf.shape, psf.centre),
                .frame_origin = run.frame_origin,
                .differences = run.differences,
                .signal_to_noise = run.signal_to_noise};
    if (run.previous != nullptr) {
      ASSIGN_OR_RETURN(problem_.previous, ToDevice(*run.previous));
    }
    if (!run.other_views.empty()) problem_.views.push_back(first);
    for (const EngineView& view : run.other_views) {
      ASSIGN_OR_RETURN(problem_.views.emplace_back(), ViewOf(view.y, view.psf, view.background, view.mask));
    }
    return absl::OkStatus();
  }

  worker::Ops& ops() const { return *ops_; }
  const worker::Problem& problem() const { return problem_; }
  const Box3& box() const { return box_; }  // of what was measured

 private:
  absl::StatusOr<const worker::Array*> ToDevice(const Volume& volume) {
    ASSIGN_OR_RETURN(auto array, ops_->Allocate(box_));
    RETURN_IF_ERROR(ops_->Upload(Floats(volume), box_, *array));
    return arrays_.emplace_back(std::move(array)).get();
  }

  absl::StatusOr<worker::View> ViewOf(const Volume& y, const Psf& psf, double background, const Volume* mask) {
    worker::View view{.background = static_cast<float>(background)};
    ASSIGN_OR_RETURN(view.otf, ToOtf(PreparedOf(psf)));
    ASSIGN_OR_RETURN(view.measured, ToDevice(y));
    if (mask != nullptr) {
      ASSIGN_OR_RETURN(view.mask, ToDevice(*mask));
    }
    return view;
  }

  absl::StatusOr<const worker::Otf*> ToOtf(const worker::PreparedPsf& psf) {
    ASSIGN_OR_RETURN(auto otf, ops_->MakeOtf(psf.values, psf.shape, psf.centre));
    return otfs_.emplace_back(std::move(otf)).get();
  }

  const Box3 box_;
  const std::unique_ptr<worker::Backend> own_backend_;
  worker::Backend& backend_;
  std::unique_ptr<worker::Ops> ops_;
  std::vector<std::unique_ptr<worker::Otf>> otfs_;
  std::vector<std::unique_ptr<worker::Array>> arrays_;
  worker::Problem problem_;
};

}  // namespace

double MeanOf(const Volume& volume) {
  return std::accumulate(volume.values.begin(), volume.values.end(), 0.0) / static_cast<double>(volume.size());
}

double VarianceOf(const Volume& volume) {
  const double mean = MeanOf(volume);
  double sum = 0;
  for (const double v : volume.values) sum += (v - mean) * (v - mean);
  return sum / static_cast<double>(volume.size());
}

absl::StatusOr<Volume> RunMethod(std::string_view name, const EngineRun& run) {
  const worker::Method& method = *worker::FindMethod(name);
  ASSIGN_OR_RETURN(const Parameters parameters, ResolveParameters(method.description(), run.parameters));
  Staged staged(run);
  RETURN_IF_ERROR(staged.Load(run));
  Silent silent;
  ASSIGN_OR_RETURN(const auto x,
                   method.Run(staged.problem(), parameters, run.monitor != nullptr ? *run.monitor : silent));
  std::vector<float> values(static_cast<size_t>(staged.box().shape.voxels()));
  RETURN_IF_ERROR(staged.ops().Download(*x, staged.box(), values));
  return VolumeOf(staged.box().shape, values);
}

absl::StatusOr<Psf> EstimatePsf(std::string_view name, const EngineRun& run) {
  const worker::Method& method = *worker::FindMethod(name);
  ASSIGN_OR_RETURN(const Parameters parameters, ResolveParameters(method.description(), run.parameters));
  Staged staged(run);
  RETURN_IF_ERROR(staged.Load(run));
  Silent silent;
  ASSIGN_OR_RETURN(const worker::EstimatedPsf found,
                   method.EstimatePsf(staged.problem(), PreparedOf(run.psf), parameters,
                                      run.monitor != nullptr ? *run.monitor : silent));
  const auto& [values, shape, centre] = found.psf;
  return Psf{.h = VolumeOf(shape, values), .cz = centre.z, .cy = centre.y, .cx = centre.x};
}

absl::StatusOr<Volume> RunRl(const EngineRun& run) {
  return RunMethod("rl", run);
}

}  // namespace deconvoy::reference
