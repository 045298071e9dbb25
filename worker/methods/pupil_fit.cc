#include "worker/methods/pupil_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

constexpr int kFirstMode = 5;
constexpr double kDamping = 1e-3;
constexpr double kLongestStep = 0.05, kMostFound = 0.3;  // waves
constexpr double kMostMomentum = 0.8, kMomentumAge = 3;
constexpr double kMovedFar = 0.01;  // waves
constexpr int kMostSteps = 5;       // with the same slopes

// The solution of A s = b by Cholesky's decomposition, A of n x n row by row, damped; nothing where A is not positive.
std::optional<std::vector<double>> Solve(std::vector<double> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t i = 0; i < n; ++i) a[i * n + i] *= 1 + kDamping;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && !(sum > 0)) return std::nullopt;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

double InnerProduct(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

std::vector<int> FittedModes(int64_t last) {
  std::vector<int> modes(static_cast<size_t>(std::max<int64_t>(last - kFirstMode + 1, 0)));
  std::iota(modes.begin(), modes.end(), kFirstMode);
  return modes;
}

PupilFit::PupilFit(const KnownOptics& optics, const Shape3& box, std::vector<int> modes)
    : model_(optics, box, std::move(modes)),
      box_(box),
      given_(model_.given()),
      waves_(given_),
      change_(waves_.size()),
      age_(waves_.size()) {}

std::vector<PupilMode> PupilFit::modes() const {
  std::vector<PupilMode> modes;
  for (size_t i = 0; i < waves_.size(); ++i) modes.push_back({.noll = model_.modes()[i], .waves = waves_[i]});
  return modes;
}

bool PupilFit::IsStale() const {
  if (known_at_.empty() || steps_since_ >= kMostSteps) return true;
  for (size_t i = 0; i < waves_.size(); ++i) {
    if (std::abs(waves_[i] - known_at_[i]) > kMovedFar) return true;
  }
  return false;
}

// The column of F.
absl::StatusOr<std::vector<double>> PupilFit::InformationOf(const View& view, size_t mode) const {
  Ops& ops = *view.problem.ops;
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> on_box, ops.Allocate({{}, box_}));
  RETURN_IF_ERROR(ops.Upload(slopes_[mode], on_box->box(), *on_box));
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> light, ops.Allocate(view.problem.measured->box()));
  RETURN_IF_ERROR(ops.Convolve({&view.image, /*adjoint=*/false, Identity{on_box.get()}, Store{.output = light.get()}}));
  GuardedRatio weighted = QuotientOf(view.problem);
  weighted.y = light.get();
  RETURN_IF_ERROR(ops.ConvolveThen({view.problem.otf, /*adjoint=*/false, Identity{&view.x}, weighted},
                                   {&view.image, /*adjoint=*/true, Identity{nullptr}, Store{.output = on_box.get()}}));
  std::vector<float> back(static_cast<size_t>(box_.voxels()));
  RETURN_IF_ERROR(ops.Download(*on_box, on_box->box(), back));
  std::vector<double> column;
  for (const std::vector<float>& slope : slopes_) column.push_back(InnerProduct(slope, back));
  return column;
}

absl::Status PupilFit::Renew(const View& view) {
  const size_t n = waves_.size();
  slopes_.clear();
  for (size_t mode = 0; mode < n; ++mode) slopes_.push_back(model_.SlopeAt(waves_, mode));
  information_.assign(n * n, 0);
  for (size_t mode = 0; mode < n; ++mode) {
    ASSIGN_OR_RETURN(const std::vector<double> column, InformationOf(view, mode));
    for (size_t i = 0; i < n; ++i) {
      information_[i * n + mode] += column[i] / 2;
      information_[mode * n + i] += column[i] / 2;
    }
  }
  known_at_ = waves_;
  steps_since_ = 0;
  return absl::OkStatus();
}

void PupilFit::Move(std::vector<double> step) {
  const double length = std::sqrt(std::inner_product(step.begin(), step.end(), step.begin(), 0.0));
  const double shortened = length > kLongestStep ? kLongestStep / length : 1;
  for (size_t i = 0; i < waves_.size(); ++i) {
    const double d = shortened * step[i];
    age_[i] = d * change_[i] < 0 ? 0 : age_[i] + 1;
    const double momentum = std::min(kMostMomentum, age_[i] / (age_[i] + kMomentumAge));
    const double moved =
        std::clamp(waves_[i] + d + momentum * change_[i], given_[i] - kMostFound, given_[i] + kMostFound);
    change_[i] = moved - waves_[i];
    waves_[i] = moved;
  }
}

absl::Status PupilFit::Step(const View& view) {
  if (IsStale()) RETURN_IF_ERROR(Renew(view));
  ++steps_since_;
  std::vector<double> gradient;
  for (const std::vector<float>& slope : slopes_) gradient.push_back(InnerProduct(slope, view.excess));
  if (auto step = Solve(information_, std::move(gradient))) Move(*std::move(step));
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
