#include "tests/reference/engine.h"

#include <numeric>

#include "proto/contract/status_macros.h"
#include "worker/backends/cpu/cpu_backend.h"
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

absl::StatusOr<std::unique_ptr<worker::Array>> ToDevice(worker::Ops& ops, const Volume& volume, const Box3& box) {
  ASSIGN_OR_RETURN(auto array, ops.Allocate(box));
  RETURN_IF_ERROR(ops.Upload(Floats(volume), box, *array));
  return array;
}

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
  const auto backend = worker::MakeCpuBackend({.threads = run.threads, .wisdom_folder = {}});
  const worker::Method& method = *worker::FindMethod(name);
  ASSIGN_OR_RETURN(const Parameters parameters, ResolveParameters(method.description(), run.parameters));
  ASSIGN_OR_RETURN(const auto ops, backend->Open(run.domain));
  const Volume& h = run.psf.h;
  const Voxel centre{run.psf.cz, run.psf.cy, run.psf.cx};
  ASSIGN_OR_RETURN(const auto otf, ops->MakeOtf(Floats(h), {h.nz, h.ny, h.nx}, centre));
  const Box3 box{run.origin, {run.y.nz, run.y.ny, run.y.nx}};
  ASSIGN_OR_RETURN(const auto measured, ToDevice(*ops, run.y, box));
  std::unique_ptr<worker::Array> previous;
  if (run.previous != nullptr) {
    ASSIGN_OR_RETURN(previous, ToDevice(*ops, *run.previous, box));
  }
  std::unique_ptr<worker::Array> mask;
  if (run.mask != nullptr) {
    ASSIGN_OR_RETURN(mask, ToDevice(*ops, *run.mask, box));
  }
  const worker::Problem problem{.ops = ops.get(),
                                .otf = otf.get(),
                                .measured = measured.get(),
                                .mask = mask.get(),
                                .previous = previous.get(),
                                .boundary = run.boundary,
                                .background = static_cast<float>(run.background),
                                .mean = static_cast<float>(run.mean > 0 ? run.mean : MeanOf(run.y)),
                                .variance = static_cast<float>(run.variance),
                                .psf = worker::MeasurePsf(Floats(h), {h.nz, h.ny, h.nx}, centre),
                                .frame_origin = run.frame_origin,
                                .differences = run.differences};
  Silent silent;
  ASSIGN_OR_RETURN(const auto x, method.Run(problem, parameters, run.monitor != nullptr ? *run.monitor : silent));
  std::vector<float> values(static_cast<size_t>(box.shape.voxels()));
  RETURN_IF_ERROR(ops->Download(*x, box, values));
  Volume result(run.y.nz, run.y.ny, run.y.nx);
  result.values.assign(values.begin(), values.end());
  return result;
}

absl::StatusOr<Volume> RunRl(const EngineRun& run) {
  return RunMethod("rl", run);
}

}  // namespace deconvoy::reference
