#include "worker/learned/unrolled_ista.h"

#include <string>

#include "worker/learned/blur.h"

namespace deconvoy::worker::learned {
namespace {

constexpr double kSlopeBelowZero = 0.01;

}  // namespace

UnrolledIsta::UnrolledIsta(const torch::Tensor& psf)
    : psf_(register_buffer("psf", psf.clone())),
      log_steps_(register_parameter("log_steps", torch::zeros({kUnrolledIterations}))) {
  for (int i = 0; i < kUnrolledIterations; ++i) {
    proxes_.push_back(register_module("prox" + std::to_string(i + 1), std::make_shared<ShrinkProx>()));
  }
}

torch::Tensor UnrolledIsta::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  const Blur blur(psf_, u);
  const torch::Tensor steps = torch::exp(log_steps_);
  torch::Tensor x = u;
  for (int i = 0; i < kUnrolledIterations; ++i) {
    x = x + steps[i] * blur.Adjoint(u - blur.Apply(x));
    x = (*proxes_[static_cast<size_t>(i)])(x);
  }
  return torch::leaky_relu(x, kSlopeBelowZero);
}

}  // namespace deconvoy::worker::learned
