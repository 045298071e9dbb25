#include "worker/methods/curve.h"

#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"

namespace deconvoy::worker {
namespace {

constexpr const char* kEvery = "objective";

absl::StatusOr<double> DataSquares(const Problem& problem) {
  if (problem.views.empty()) return problem.ops->SumSquares(*problem.measured, problem.mask, problem.background);
  double sum = 0;
  for (const View& view : problem.views) {
    ASSIGN_OR_RETURN(const double of_view, problem.ops->SumSquares(*view.measured, view.mask, view.background));
    sum += of_view;
  }
  return sum;
}

}  // namespace

void AddCurve(v1::Method& method) {
  AddInteger(method, kEvery, 0, 10000, 5,
             "Tell objective and residual after every so many iterations, and after the first and the last; 0: never");
}

absl::StatusOr<Curve> Curve::Of(const Problem& problem, const Parameters& parameters, const Monitor& monitor) {
  const int64_t distance = parameters.Integer(kEvery);
  if (distance == 0 || !monitor.hears_curve()) return Curve();
  return Every(distance, parameters.Integer(kIterations), problem);
}

absl::StatusOr<Curve> Curve::Every(int64_t distance, int64_t iterations, const Problem& problem) {
  Curve curve;
  curve.every_ = distance;
  curve.iterations_ = iterations;
  ASSIGN_OR_RETURN(curve.data_squares_, DataSquares(problem));
  return curve;
}

std::optional<v1::ObjectiveValue> Curve::After(int64_t k, const Measures& measures) const {
  return Tells(k) ? AfterLast(k, measures) : std::nullopt;
}

std::optional<v1::ObjectiveValue> Curve::AfterLast(int64_t k, const Measures& measures) const {
  if (!tells()) return std::nullopt;
  v1::ObjectiveValue value;
  value.set_iteration(static_cast<uint32_t>(k));
  value.set_value(measures.objective);
  value.set_residual_squares(measures.squares);
  value.set_data_squares(data_squares_);
  value.set_primal_squares(measures.primal);
  value.set_dual_squares(measures.dual);
  return value;
}

}  // namespace deconvoy::worker
