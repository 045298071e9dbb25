#include "worker/methods/rl_multiview.h"

#include <string>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl-multiview");
  method.set_title("Richardson-Lucy on several views");
  method.set_summary(
      "Joins registered views of one specimen (the channels of the image, each with its own channel of the PSF) into "
      "one result. For light sheets from several sides, and whatever else was recorded more than once.");
  method.set_citation(
      "S. Preibisch et al., Nat. Methods 11 (2014) 645; M. Ingaramo et al., ChemPhysChem 15 (2014) 794; H. M. Hudson "
      "and R. S. Larkin, IEEE Trans. Med. Imaging 13 (1994) 601");
  method.set_noise_model("Poisson");
  AddInteger(method, "iterations", 1, 10000, 30, "Number of iterations; in each every view counts once");
  AddChoice(method, "update", "additive", "How the views act together",
            {{"additive", "The mean of all views' steps", 4},
             {"ordered-subset", "A step of one view after another; about as many times faster as there are views", 0}});
  AddChoice(method, "acceleration", "heavy-ball", "How iterations are extrapolated",
            {{"none", "Plain iterations", 0}, {"heavy-ball", "Momentum from the step before", 4}});
  AddInitialEstimate(method);
  AddCurve(method);
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(16.6);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  method.set_joins_channels(true);
  return method;
}

// Those of the problem, or the one that it is itself.
std::vector<View> ViewsOf(const Problem& problem) {
  if (!problem.views.empty()) return problem.views;
  return {{.otf = problem.otf, .measured = problem.measured, .mask = problem.mask, .background = problem.background}};
}

class Iterations {
 public:
  Iterations(const Problem& problem, const Parameters& parameters, Monitor& monitor)
      : problem_(problem),
        views_(ViewsOf(problem)),
        ops_(*problem.ops),
        monitor_(monitor),
        iterations_(parameters.Integer("iterations")),
        additive_(parameters.Choice("update") == "additive"),
        heavy_ball_(parameters.Choice("acceleration") == "heavy-ball") {}

  absl::Status Begin(const Parameters& parameters) {
    ASSIGN_OR_RETURN(curve_, Curve::Of(problem_, parameters, monitor_));
    ASSIGN_OR_RETURN(x_, InitialEstimate(problem_, parameters));
    if (heavy_ball_) {
      ASSIGN_OR_RETURN(x_previous_, ops_.Allocate(x_->box()));
    }
    if (additive_) {
      ASSIGN_OR_RETURN(step_, ops_.Allocate(x_->box()));
    }
    ASSIGN_OR_RETURN(next_, ops_.Allocate(x_->box()));
    for (const View& view : views_) {
      ASSIGN_OR_RETURN(weights_.emplace_back(), ops_.MakeWeights(*view.otf, view.measured->box(), view.mask));
    }
    return absl::OkStatus();
  }

  absl::Status Run() {
    for (int64_t k = 1; k <= iterations_; ++k) {
      tells_ = curve_.Tells(k);
      measures_ = {};
      const float alpha = heavy_ball_ ? static_cast<float>(k - 1) / static_cast<float>(k + 2) : 0;
      const Extrapolate p{.x = x_.get(), .x_previous = x_previous_.get(), .alpha = alpha, .floor = kExtrapolationFloor};
      RETURN_IF_ERROR(additive_ ? TakeMean(p) : TakeTurns(p));
      if (x_previous_ != nullptr) std::swap(x_, x_previous_);
      std::swap(x_, next_);
      RETURN_IF_ERROR(monitor_.Iterated({k, iterations_, *x_, curve_.After(k, measures_)}));
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Array> TakeEstimate() { return std::move(x_); }

 private:
  // next = the mean of p f_v.
  absl::Status TakeMean(const Extrapolate& p) {
    RETURN_IF_ERROR(ops_.Fill(*next_, 0));
    const float share = 1 / static_cast<float>(views_.size());
    for (size_t v = 0; v < views_.size(); ++v) {
      RETURN_IF_ERROR(Step(v, p, *step_));
      RETURN_IF_ERROR(ops_.Combine(*next_, 1, *step_, share));
    }
    return absl::OkStatus();
  }

  // next = p f_1, then next f_v.
  absl::Status TakeTurns(const Extrapolate& p) {
    RETURN_IF_ERROR(Step(0, p, *next_));
    const Extrapolate so_far{.x = next_.get(), .x_previous = nullptr, .alpha = 0, .floor = kExtrapolationFloor};
    for (size_t v = 1; v < views_.size(); ++v) RETURN_IF_ERROR(Step(v, so_far, *next_));
    return absl::OkStatus();
  }

  // output = p f_v.
  absl::Status Step(size_t v, const Extrapolate& p, Array& output) {
    const View& view = views_[v];
    Measures measures;
    GuardedRatio ratio = QuotientOf(problem_, tells_ ? &measures : nullptr);
    ratio.y = view.measured;
    ratio.mask = view.mask;
    ratio.background = view.background;
    const MultiplyUpdate update{
        .p = p, .weights = weights_[v].get(), .weight_floor = kLeastWeight, .output = &output, .floor = 0};
    RETURN_IF_ERROR(ops_.ConvolveThen({view.otf, /*adjoint=*/false, p, ratio},
                                      {view.otf, /*adjoint=*/true, Identity{nullptr}, update}));
    measures_.Add(measures);
    return absl::OkStatus();
  }

  // Constant.
  const Problem& problem_;
  const std::vector<View> views_;
  Ops& ops_;
  Monitor& monitor_;
  const int64_t iterations_;
  const bool additive_, heavy_ball_;
  Curve curve_;
  std::vector<std::unique_ptr<Weights>> weights_;  // of each view

  // From iteration to iteration.
  std::unique_ptr<Array> x_, x_previous_, step_, next_;
  bool tells_ = false;  // the iteration is told
  Measures measures_;   // of it, over the views so far
};

}  // namespace

RlMultiview::RlMultiview() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> RlMultiview::Run(const Problem& problem, const Parameters& parameters,
                                                        Monitor& monitor) const {
  Iterations run(problem, parameters, monitor);
  RETURN_IF_ERROR(run.Begin(parameters));
  RETURN_IF_ERROR(run.Run());
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
