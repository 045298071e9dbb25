#include "worker/methods/rl.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/methods/back_projector.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"

namespace deconvoy::worker {
namespace {

constexpr float kDenominatorFloor = 1e-6F;  // e, relative to the mean of y
constexpr float kSmallestFloor = 1e-30F;    // for a blank frame
constexpr float kWeightFloor = 0.01F;
constexpr float kLeastBackground = 0.2F;  // of the model with another back projector, relative to the mean of y
constexpr float kExtrapolationFloor = 0.1F;
constexpr float kFullWeight = 1;          // of another back projector
constexpr float kUnmatchedFloor = 1e-3F;  // of the estimate, relative to the mean of y

// How the point p that a step is taken from moves ahead of x.
class Acceleration {
 public:
  explicit Acceleration(const std::string& name) : heavy_ball_(name == "heavy-ball"), biggs_(name == "biggs-andrews") {}

  bool needs_previous() const { return heavy_ball_ || biggs_; }
  bool needs_change() const { return biggs_; }

  // a in iteration k = 1, 2, ...; `products` are those of the update before.
  float Factor(int64_t k, const ChangeProducts& products) const {
    if (heavy_ball_) return static_cast<float>(k - 1) / static_cast<float>(k + 2);
    if (!biggs_ || k < 3 || !(products.old_old > 0)) return 0;
    return static_cast<float>(std::clamp(products.new_old / products.old_old, 0.0, 1.0));
  }

 private:
  bool heavy_ball_;
  bool biggs_;
};

// What takes the quotient back, with its normalisation.
struct BackProjection {
  const Otf* otf = nullptr;  // of which the adjoint is taken
  std::unique_ptr<Otf> own;  // null for H*
  std::unique_ptr<Weights> w;
  float floor = kNoFloor;  // of the estimate
  float full_weight = 0;
  float raise = 0;  // of data and model
};

absl::StatusOr<BackProjection> MakeMatched(const Problem& problem) {
  BackProjection back;
  back.otf = problem.otf;
  ASSIGN_OR_RETURN(back.w, problem.ops->MakeWeights(*back.otf, problem.measured->box(), problem.mask));
  return back;
}

absl::StatusOr<BackProjection> MakeUnmatched(const Problem& problem, const Parameters& parameters) {
  BackProjection back;
  back.floor = kUnmatchedFloor * problem.mean;
  back.full_weight = kFullWeight;
  back.raise = std::max(kLeastBackground * problem.mean - problem.background, 0.0F);
  ASSIGN_OR_RETURN(back.own, MakeBackProjector(problem, parameters));
  back.otf = back.own.get();
  ASSIGN_OR_RETURN(back.w, problem.ops->MakeWeights(*back.otf, problem.measured->box(), problem.mask));
  return back;
}

// A run under way.
class Iteration {
 public:
  Iteration(const Problem& problem, const Parameters& parameters, Monitor& monitor)
      : problem_(problem),
        monitor_(monitor),
        acceleration_(parameters.Choice("acceleration")),
        iterations_(parameters.Integer("iterations")),
        wants_objective_(parameters.Boolean("objective")) {}

  // Takes the estimate to start from.
  absl::Status Start(std::unique_ptr<Array> x) {
    x_ = std::move(x);
    if (acceleration_.needs_previous()) {
      ASSIGN_OR_RETURN(x_previous_, problem_.ops->Allocate(x_->box()));
    }
    if (acceleration_.needs_change()) {
      ASSIGN_OR_RETURN(change_, problem_.ops->Allocate(x_->box()));
    }
    return absl::OkStatus();
  }

  // Iterations up to number `last`, from p = x where not `accelerated`.
  absl::Status RunTo(int64_t last, const BackProjection& back, bool accelerated) {
    while (done_ < last) {
      ++done_;
      RETURN_IF_ERROR(Step(back, accelerated ? acceleration_.Factor(done_, products_) : 0));
      RETURN_IF_ERROR(
          monitor_.Iterated(done_, iterations_, wants_objective_ ? std::optional(divergence_) : std::nullopt));
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Array> TakeEstimate() { return std::move(x_); }

 private:
  absl::Status Step(const BackProjection& back, float alpha) {
    const Extrapolate p{.x = x_.get(), .x_previous = x_previous_.get(), .alpha = alpha, .floor = kExtrapolationFloor};
    const GuardedRatio ratio{.y = problem_.measured,
                             .mask = problem_.mask,
                             .background = problem_.background,
                             .floor = std::max(kDenominatorFloor * problem_.mean, kSmallestFloor),
                             .output = nullptr,
                             .i_divergence = wants_objective_ ? &divergence_ : nullptr,
                             .raise = back.raise};
    const MultiplyUpdate update{.p = p,
                                .weights = back.w.get(),
                                .weight_floor = kWeightFloor,
                                .output = x_previous_ != nullptr ? x_previous_.get() : x_.get(),
                                .floor = back.floor,
                                .full_weight = back.full_weight,
                                .change = change_.get(),
                                .products = change_ != nullptr ? &products_ : nullptr};
    RETURN_IF_ERROR(problem_.ops->ConvolveThen({problem_.otf, /*adjoint=*/false, p, ratio},
                                               {back.otf, /*adjoint=*/true, Identity{nullptr}, update}));
    if (x_previous_ != nullptr) std::swap(x_, x_previous_);
    return absl::OkStatus();
  }

  // Constant.
  const Problem& problem_;
  Monitor& monitor_;
  const Acceleration acceleration_;
  const int64_t iterations_;
  const bool wants_objective_;

  // From iteration to iteration.
  std::unique_ptr<Array> x_, x_previous_, change_;
  ChangeProducts products_;
  double divergence_ = 0;
  int64_t done_ = 0;
};

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl");
  method.set_title("Richardson-Lucy");
  method.set_summary(
      "Maximises the likelihood of photon counts, keeping the estimate non-negative. The method of choice for "
      "fluorescence stacks; more iterations sharpen and amplify noise.");
  method.set_citation(
      "W. H. Richardson, J. Opt. Soc. Am. 62 (1972) 55; L. B. Lucy, Astron. J. 79 (1974) 745; H. Wang and P. C. "
      "Miller, IEEE Trans. Image Process. 23 (2014) 848; D. S. C. Biggs and M. Andrews, Appl. Opt. 36 (1997) 1766; "
      "M. Guo et al., Nat. Biotechnol. 38 (2020) 1337; X. Ruan et al., Nat. Methods 21 (2024) 2342");
  method.set_noise_model("Poisson");
  AddInteger(method, "iterations", 1, 10000, 30,
             "Number of iterations; heavy-ball needs about a quarter of the plain ones");
  AddChoice(method, "acceleration", "heavy-ball", "How iterations are extrapolated",
            {{"none", "Plain iterations", 0},
             {"heavy-ball", "Momentum from the step before", 4},
             {"biggs-andrews", "Momentum as large as the last two steps agree", 8}});
  AddBackProjector(method);
  AddInitialEstimate(method);
  AddBoolean(method, "objective", false,
             "Write the I-divergence of every iteration into the worker's log; takes longer");
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(12.3);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  return method;
}

}  // namespace

RichardsonLucy::RichardsonLucy() : description_(Describe()) {}

absl::StatusOr<std::vector<Advice>> RichardsonLucy::Review(const Parameters& parameters, const PsfFacts& psf) const {
  return ReviewBackProjector(parameters, parameters.Integer("iterations"), psf);
}

absl::StatusOr<std::unique_ptr<Array>> RichardsonLucy::Run(const Problem& problem, const Parameters& parameters,
                                                           Monitor& monitor) const {
  RETURN_IF_ERROR(Review(parameters, problem.psf).status());
  const int64_t iterations = parameters.Integer("iterations");
  const int64_t unmatched = iterations - MatchedSteps(parameters, iterations);
  Iteration run(problem, parameters, monitor);
  ASSIGN_OR_RETURN(auto x, InitialEstimate(problem, parameters));
  RETURN_IF_ERROR(run.Start(std::move(x)));
  if (unmatched > 0) {
    ASSIGN_OR_RETURN(const BackProjection back, MakeUnmatched(problem, parameters));
    RETURN_IF_ERROR(run.RunTo(unmatched, back, /*accelerated=*/true));
  }
  if (unmatched < iterations) {
    ASSIGN_OR_RETURN(const BackProjection matched, MakeMatched(problem));
    RETURN_IF_ERROR(run.RunTo(iterations, matched, /*accelerated=*/unmatched == 0));
  }
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
