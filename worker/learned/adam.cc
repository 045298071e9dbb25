#include "worker/learned/adam.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deconvoy::worker::learned {
namespace {

constexpr double kMeanDecay = 0.9, kSquareDecay = 0.999, kLeastRoot = 1e-8, kLongestGradient = 1;

}  // namespace

Adam::Adam(std::vector<torch::Tensor> parameters) : parameters_(std::move(parameters)) {
  for (const torch::Tensor& parameter : parameters_) {
    means.push_back(torch::zeros_like(parameter));
    squares.push_back(torch::zeros_like(parameter));
  }
}

bool Adam::Step(int64_t t, double rate) {
  const torch::NoGradGuard no_gradients;
  double length = 0;
  for (const torch::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) length += parameter.grad().square().sum().item<double>();
  }
  length = std::sqrt(length);
  if (!std::isfinite(length)) return false;
  const double shortened = std::min(kLongestGradient / std::max(length, 1e-30), 1.0);
  const double mean_share = 1 - std::pow(kMeanDecay, static_cast<double>(t)),
               square_share = 1 - std::pow(kSquareDecay, static_cast<double>(t));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;  // it has not been used
    const torch::Tensor gradient = parameters_[i].grad() * shortened;
    means[i].mul_(kMeanDecay).add_(gradient, 1 - kMeanDecay);
    squares[i].mul_(kSquareDecay).addcmul_(gradient, gradient, 1 - kSquareDecay);
    const torch::Tensor root = (squares[i] / square_share).sqrt_().add_(kLeastRoot);
    parameters_[i].data().addcdiv_(means[i], root, -rate / mean_share);
    parameters_[i].mutable_grad().zero_();
  }
  return true;
}

}  // namespace deconvoy::worker::learned
