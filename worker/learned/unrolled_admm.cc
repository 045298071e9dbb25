#include "worker/learned/unrolled_admm.h"

#include <string>

#include "worker/learned/blur.h"

namespace deconvoy::worker::learned {
namespace {

constexpr double kSlopeBelowZero = 0.01;
constexpr float kFirstLogPenalty = -2.3F;  // ln 0.1

}  // namespace

UnrolledAdmm::UnrolledAdmm(const torch::Tensor& psf)
    : psf_(register_buffer("psf", psf.clone())),
      log_penalties_(register_parameter("log_penalties", torch::full({kUnrolledIterations}, kFirstLogPenalty))) {
  for (int i = 0; i < kUnrolledIterations; ++i) {
    proxes_.push_back(register_module("prox" + std::to_string(i + 1), std::make_shared<ShrinkProx>()));
  }
}

torch::Tensor UnrolledAdmm::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  const Blur blur(psf_, u);
  const torch::Tensor penalties = torch::exp(log_penalties_), data = blur.Adjoint(u);
  torch::Tensor z = u, d = torch::zeros_like(u);
  for (int i = 0; i < kUnrolledIterations; ++i) {
    const torch::Tensor x = blur.Invert(data + penalties[i] * (z - d), penalties[i]);
    z = (*proxes_[static_cast<size_t>(i)])(x + d);
    d = d + x - z;
  }
  return torch::leaky_relu(z, kSlopeBelowZero);
}

}  // namespace deconvoy::worker::learned
