#include "worker/methods/rl_gc.h"

#include <fmt/format.h>

#include <span>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/imaging/halves.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"
#include "worker/methods/initial_estimate.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

constexpr double kLeastVariance = 0.9;  // over the mean

v1::Method Describe() {
  v1::Method method;
  method.set_name("rl-gc");
  method.set_title("Richardson-Lucy with gradient consensus");
  method.set_summary(
      "Richardson-Lucy on two halves of the photons, in which a voxel changes only where both agree: it stops by "
      "itself before it fits noise. For photon counts; the gain must be right.");
  method.set_citation("J. Manton and A. York, Zenodo, doi:10.5281/zenodo.10278919 (2023)");
  method.set_noise_model("Poisson");
  AddInteger(method, "iterations", 1, 10000, 100, "Number of iterations at most: each voxel stops by itself");
  AddInteger(method, "seed", 0, 1000000000, 0, "Of the coins that split the photons");
  AddInitialEstimate(method);
  AddCurve(method);
  method.add_boundaries(v1::EXTEND);
  method.add_boundaries(v1::PERIODIC);
  method.set_transforms_per_iteration(8);
  method.set_bytes_per_padded_voxel(22.3);
  method.set_bytes_per_measured_voxel(12);
  method.set_bytes_per_weight(4);
  method.add_backends("cpu");
  return method;
}

// y1 / y on y's box.
absl::StatusOr<std::unique_ptr<Array>> MakeShare(const Problem& problem, uint64_t seed) {
  Ops& ops = *problem.ops;
  const Box3& measured = problem.measured->box();
  ASSIGN_OR_RETURN(auto share, ops.Allocate(measured));
  Box3 plane{measured.origin, {1, measured.shape.y, measured.shape.x}};
  std::vector<float> values(static_cast<size_t>(plane.shape.voxels()));
  const auto n = static_cast<size_t>(plane.shape.x);
  for (; plane.origin.z < measured.end().z; ++plane.origin.z) {
    RETURN_IF_ERROR(ops.Download(*problem.measured, plane, values));
    Voxel first = problem.frame_origin + plane.origin;
    for (size_t i = 0; i < values.size(); i += n, ++first.y) {
      const std::span<float> row(values.data() + i, n);
      ShareOfFirstHalf(seed, first, row, row);
    }
    RETURN_IF_ERROR(ops.Upload(values, plane, *share));
  }
  return share;
}

// The OTF of H*H.
absl::StatusOr<std::unique_ptr<Otf>> MakeCorrelation(const Problem& problem) {
  ASSIGN_OR_RETURN(std::vector<float> power, MagnitudeOf(*problem.ops, *problem.otf));
  for (float& v : power) v *= v;
  return problem.ops->MakeRealOtf(power);
}

class Consensus {
 public:
  explicit Consensus(const Problem& problem) : problem_(problem), ops_(*problem.ops) {}

  absl::Status Begin(const Parameters& parameters) {
    ASSIGN_OR_RETURN(x_, InitialEstimate(problem_, parameters));
    ASSIGN_OR_RETURN(correlation_, MakeCorrelation(problem_));
    ASSIGN_OR_RETURN(w_, ops_.MakeWeights(*problem_.otf, problem_.measured->box(), problem_.mask));
    ASSIGN_OR_RETURN(share_, MakeShare(problem_, static_cast<uint64_t>(parameters.Integer("seed"))));
    ASSIGN_OR_RETURN(quotient_, ops_.Allocate(problem_.measured->box()));
    ASSIGN_OR_RETURN(first_, ops_.Allocate(x_->box()));
    ASSIGN_OR_RETURN(second_, ops_.Allocate(x_->box()));
    return absl::OkStatus();
  }

  // `measures`: of x before the step; null: none.
  absl::Status Step(Measures* measures) {
    GuardedRatio ratio = QuotientOf(problem_, measures);
    ratio.output = quotient_.get();
    RETURN_IF_ERROR(ops_.Convolve({problem_.otf, /*adjoint=*/false, Identity{x_.get()}, ratio}));
    RETURN_IF_ERROR(TakeBack(0, 2, *first_));
    RETURN_IF_ERROR(TakeBack(1, -2, *second_));
    return ops_.Convolve({correlation_.get(), /*adjoint=*/false,
                          Product{.a = first_.get(), .a_offset = 1, .b = second_.get(), .b_offset = 1, .scale = 1},
                          ConsensusUpdate{.first = first_.get(), .second = second_.get(), .x = x_.get()}});
  }

  const Array& estimate() const { return *x_; }
  std::unique_ptr<Array> TakeEstimate() { return std::move(x_); }

 private:
  // Ri of the photons scale (y1/y - offset) y: y1 twice, or y2 = y - y1 twice.
  absl::Status TakeBack(float offset, float scale, Array& output) {
    return ops_.Convolve(
        {problem_.otf, /*adjoint=*/true,
         Product{.a = share_.get(), .a_offset = offset, .b = quotient_.get(), .b_offset = 0, .scale = scale},
         Divide{.weights = w_.get(), .weight_floor = kLeastWeight, .otherwise = 1, .output = &output}});
  }

  // Constant.
  const Problem& problem_;
  Ops& ops_;
  std::unique_ptr<Otf> correlation_;
  std::unique_ptr<Weights> w_;
  std::unique_ptr<Array> share_;

  // From iteration to iteration.
  std::unique_ptr<Array> x_, quotient_, first_, second_;
};

}  // namespace

RlGradientConsensus::RlGradientConsensus() : DescribedMethod(Describe()) {}

std::vector<Advice> RlGradientConsensus::ReviewCounts(double mean, double variance) const {
  // That of Poisson counts is their mean, to which the specimen adds.
  if (variance >= kLeastVariance * mean) return {};
  return {{.message = fmt::format("the variance of the photons, {:.3g}, is below their mean, {:.3g}: they are not "
                                  "counted ones, and their halves share noise",
                                  variance, mean),
           .field = "deconvolve.gain_photons_per_count",
           .remedy = "Give the camera's gain and offset; for averaged or filtered images use `rl` or `rl-tv`."}};
}

absl::StatusOr<std::unique_ptr<Array>> RlGradientConsensus::Run(const Problem& problem, const Parameters& parameters,
                                                                Monitor& monitor) const {
  const int64_t iterations = parameters.Integer("iterations");
  ASSIGN_OR_RETURN(const Curve curve, Curve::Of(problem, parameters, monitor));
  Consensus run(problem);
  RETURN_IF_ERROR(run.Begin(parameters));
  for (int64_t done = 1; done <= iterations; ++done) {
    Measures measures;
    RETURN_IF_ERROR(run.Step(curve.Tells(done) ? &measures : nullptr));
    RETURN_IF_ERROR(monitor.Iterated({done, iterations, run.estimate(), curve.After(done, measures)}));
  }
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
