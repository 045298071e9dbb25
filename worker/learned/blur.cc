#include "worker/learned/blur.h"

#include <torch/fft.h>

namespace deconvoy::worker::learned {
namespace {

// The least extent from n on whose only factors are 2, 3 and 5, even.
int64_t Smooth(int64_t n) {
  for (;; ++n) {
    int64_t rest = n;
    for (const int64_t factor : {2, 3, 5}) {
      while (rest % factor == 0) rest /= factor;
    }
    if (rest == 1 && n % 2 == 0) return n;
  }
}

}  // namespace

Blur::Blur(const torch::Tensor& psf, const torch::Tensor& like) {
  torch::Tensor origin = torch::zeros({1}, like.options());
  for (int64_t axis = 0; axis < 3; ++axis) {
    extents_.push_back(like.size(axis + 2));
    domain_.push_back(Smooth(extents_.back() + psf.size(axis) - 1));
  }
  const std::vector<int64_t> sizes{1, 1, domain_[0], domain_[1], domain_[2]};
  torch::Tensor padded = torch::zeros(sizes, like.options());
  padded.slice(2, 0, psf.size(0)).slice(3, 0, psf.size(1)).slice(4, 0, psf.size(2)).copy_(psf);
  padded = torch::roll(padded, {-(psf.size(0) / 2), -(psf.size(1) / 2), -(psf.size(2) / 2)}, {2, 3, 4});
  otf_ = torch::fft::rfftn(padded, at::OptionalIntArrayRef(), {2, 3, 4});
  power_ = torch::real(otf_ * torch::conj(otf_));
}

torch::Tensor Blur::Through(const torch::Tensor& x, const torch::Tensor& factor) const {
  const torch::Tensor spectrum = torch::fft::rfftn(x, domain_, {2, 3, 4}) * factor;
  return torch::fft::irfftn(spectrum, domain_, {2, 3, 4})
      .slice(2, 0, extents_[0])
      .slice(3, 0, extents_[1])
      .slice(4, 0, extents_[2]);
}

torch::Tensor Blur::Apply(const torch::Tensor& x) const {
  return Through(x, otf_);
}

torch::Tensor Blur::Adjoint(const torch::Tensor& x) const {
  return Through(x, torch::conj(otf_));
}

torch::Tensor Blur::Invert(const torch::Tensor& x, const torch::Tensor& weight) const {
  return Through(x, 1 / (power_ + weight));
}

}  // namespace deconvoy::worker::learned
