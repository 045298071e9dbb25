#include "worker/methods/admm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/data_splitting.h"
#include "worker/methods/describe.h"
#include "worker/methods/initial_estimate.h"

namespace deconvoy::worker {
namespace {

constexpr double kUnbalanced = 10;  // one residual over the other
constexpr float kRhoStep = 2;
constexpr int64_t kBalancedSteps = 20;
constexpr float kFirstPenalty = 0.0625F;  // over 1 / mean y
constexpr float kRelaxation = 1.7F;
const double kSlopesScale = std::sqrt(0.1);  // what is split is s D x

v1::Method Describe() {
  v1::Method method;
  method.set_name("admm");
  method.set_title("Alternating direction method of multipliers");
  method.set_summary(
      "Finds the likeliest estimate with little total variation and no value below zero, in few iterations. For noisy "
      "data; needs twice the memory of rl.");
  method.set_citation("S. Boyd et al., Found. Trends Mach. Learn. 3 (2011) 1");
  method.set_noise_model("Poisson");
  AddIterations(method, 50, "Number of iterations, at most");
  AddReal(method, "lambda", 0, 1, 2e-3, "Strength of the regularisation: larger is flatter");
  MakeAutomatic(method);
  AddChoice(method, "prior", "tv", "What is held down",
            {{"tv", "Differences: edges stay, what lies between becomes flat", 0},
             {"hessian", "Differences of differences: slopes stay too", 12}});
  AddNoise(method);
  AddReal(method, "weight", 1e-6, 1, 0.1, "Penalty of the copy of x over that of H x; that of D x is a tenth of it");
  AddBoolean(method, "balancing", true, "Adapt the penalty of the splitting in the first iterations");
  AddReal(method, "tolerance", 0, 1, 0, "Stop when both residuals are so small a part of the estimate; 0: never");
  AddInitialEstimate(method);
  AddAxialUpsample(method);
  AddCurve(method);
  for (const auto boundary : {v1::EXTEND, v1::PERIODIC, v1::MIRROR}) method.add_boundaries(boundary);
  method.set_transforms_per_iteration(4);
  method.set_halo_factor(1.25);
  method.set_iterations_slack(0.01);
  method.set_bytes_per_padded_voxel(34.6);
  method.set_bytes_per_measured_voxel(8);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  return method;
}

SplitNorms Total(const SplitNorms& a, double weight, const SplitNorms& b) {
  return {.primal = a.primal + weight * b.primal, .dual = a.dual + weight * b.dual, .size = a.size + weight * b.size};
}

class Splitting {
 public:
  Splitting(const Problem& problem, const Parameters& parameters, Monitor& monitor)
      : problem_(problem),
        ops_(*problem.ops),
        parameters_(parameters),
        monitor_(monitor),
        iterations_(parameters.Integer("iterations")),
        lambda_(parameters.Real("lambda")),
        weight_(parameters.Real("weight")),
        tolerance_(parameters.Real("tolerance")),
        balancing_(parameters.Boolean("balancing")),
        data_(problem, {.noise = NoiseOf(parameters),
                        .slopes = SlopesOf(),
                        .factors = Factors(),
                        .weight = static_cast<float>(weight_),
                        .penalty = kFirstPenalty,
                        .relaxation = kRelaxation}) {}

  absl::Status Begin() {
    ASSIGN_OR_RETURN(curve_, Curve::Of(problem_, parameters_, monitor_));
    ASSIGN_OR_RETURN(x_, InitialEstimate(problem_, parameters_));
    ASSIGN_OR_RETURN(value_, ops_.Allocate(x_->box()));
    prior_ = {.value = value_.get(), .slopes = SlopesOf(), .factors = Factors()};
    for (size_t part = 0; part < PartsOf(prior_.slopes); ++part) {
      ASSIGN_OR_RETURN(parts_[part], ops_.Allocate(x_->box()));
      prior_.parts[part] = parts_[part].get();
    }
    prior_.threshold = Threshold();
    RETURN_IF_ERROR(ops_.UpdateSplit(*x_, prior_, 1).status());
    prior_.relaxation = kRelaxation;
    return data_.Start(*x_);
  }

  absl::Status Run() {
    float scale = 1;
    for (int64_t done = 1; done <= iterations_; ++done) {
      // Where it may end by itself, any iteration may be the last.
      const bool tells = curve_.Tells(done) || (curve_.tells() && tolerance_ > 0);
      Measures measures;
      ASSIGN_OR_RETURN(const SplitNorms data, data_.Solve(SplitSum{&prior_}, scale, tells ? &measures : nullptr, *x_));
      ASSIGN_OR_RETURN(const PriorUpdate prior, ops_.UpdateSplit(*x_, prior_, scale));
      prior_.threshold = Threshold();
      const SplitNorms norms = Total(data, weight_, prior.norms);
      measures.objective += lambda_ / kSlopesScale * prior.roughness;
      TellResiduals(norms, measures);
      const bool ends = std::max(norms.primal, norms.dual) <= tolerance_ * tolerance_ * norms.size;
      RETURN_IF_ERROR(monitor_.Iterated(
          {done, iterations_, *x_, ends ? curve_.AfterLast(done, measures) : curve_.After(done, measures)}));
      if (ends) break;
      scale = done % 2 == 1 && done < kBalancedSteps ? ScaleFor(norms) : 1;
    }
    return ops_.Clamp(*value_, 0, kNoCeiling);
  }

  // t2 = z2 + u2, with u2 at most 0 where z2 is 0 and else 0.
  std::unique_ptr<Array> TakeEstimate() { return std::move(value_); }

 private:
  Slopes SlopesOf() const {
    if (lambda_ == 0) return Slopes::kNone;
    return parameters_.Choice("prior") == "hessian" ? Slopes::kSecond : Slopes::kFirst;
  }
  // Those of D that make K of its copy.
  std::array<float, 3> Factors() const {
    const auto scale = static_cast<float>(SlopesOf() == Slopes::kSecond ? std::sqrt(kSlopesScale) : kSlopesScale);
    std::array<float, 3> factors = problem_.differences.factors;
    for (float& factor : factors) factor *= scale;
    return factors;
  }
  float Threshold() const { return static_cast<float>(lambda_ / (kSlopesScale * weight_)) / data_.rho(); }

  // rho over that of the step after the next.
  float ScaleFor(const SplitNorms& norms) const {
    if (!balancing_) return 1;
    if (norms.primal > kUnbalanced * kUnbalanced * norms.dual) return 1 / kRhoStep;
    if (norms.dual > kUnbalanced * kUnbalanced * norms.primal) return kRhoStep;
    return 1;
  }

  // Constant.
  const Problem& problem_;
  Ops& ops_;
  const Parameters& parameters_;
  Monitor& monitor_;
  const int64_t iterations_;
  const double lambda_, weight_, tolerance_;
  const bool balancing_;
  Curve curve_;

  // From iteration to iteration.
  DataSplitting data_;
  PriorSplit prior_;
  std::unique_ptr<Array> x_, value_;
  std::array<std::unique_ptr<Array>, 6> parts_;
};

}  // namespace

Admm::Admm() : DescribedMethod(Describe()) {}

absl::StatusOr<std::unique_ptr<Array>> Admm::Run(const Problem& problem, const Parameters& parameters,
                                                 Monitor& monitor) const {
  Splitting splitting(problem, parameters, monitor);
  RETURN_IF_ERROR(splitting.Begin());
  RETURN_IF_ERROR(splitting.Run());
  return splitting.TakeEstimate();
}

}  // namespace deconvoy::worker
