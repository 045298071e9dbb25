#include "tests/bench/scene.h"

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "worker/methods/registry.h"

namespace deconvoy::bench {
namespace {}  // namespace

// y is the measured box itself: boundaries that reflect it into the domain are not for scenes.
SceneRunner::SceneRunner(worker::Backend& backend, const Scene& scene, v1::Boundary boundary)
    : scene_(scene),
      boundary_(boundary),
      mean_(static_cast<float>(Sum(scene.photons) / static_cast<double>(scene.shape.voxels()))) {
  if (boundary == v1::MIRROR) throw std::invalid_argument("scenes are extended or periodic");
  const Box3 measured{{}, scene.shape};
  ops_ = Value(backend.Open(PaddedShape(scene.shape, scene.psf.shape, boundary)));
  otf_ = Value(ops_->MakeOtf(scene.psf.values, scene.psf.shape, scene.psf.centre));
  y_ = Value(ops_->Allocate(measured));
  Check(ops_->Upload(scene.photons, measured, *y_));
}

absl::StatusOr<std::vector<float>> SceneRunner::Run(const ParameterTexts& parameters, worker::Monitor& monitor) {
  const worker::Method& rl = *worker::FindMethod("rl");
  ASSIGN_OR_RETURN(const Parameters resolved, ResolveParameters(rl.description(), parameters));
  const worker::Problem problem{.ops = ops_.get(),
                                .otf = otf_.get(),
                                .measured = y_.get(),
                                .mask = nullptr,
                                .previous = nullptr,
                                .boundary = boundary_,
                                .background = scene_.background,
                                .mean = mean_};
  ASSIGN_OR_RETURN(const auto estimate, rl.Run(problem, resolved, monitor));
  std::vector<float> values(scene_.photons.size());
  RETURN_IF_ERROR(ops_->Download(*estimate, y_->box(), values));
  return values;
}

absl::StatusOr<std::vector<float>> SceneRunner::Run(const ParameterTexts& parameters) {
  IterationTimer timer;
  return Run(parameters, timer);
}

double Sum(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double Correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = Sum(a) / n, mean_b = Sum(b) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = static_cast<double>(a[i]) - mean_a, db = static_cast<double>(b[i]) - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace deconvoy::bench
