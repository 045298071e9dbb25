// What networks are made of, on LibTorch. For the sources of this room only.
//
// Weights are float32 and drawn from a seed by the project's own generator, so that they do not depend on LibTorch's.
// Convolutions keep the extents; what lies beyond the faces is 0.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "worker/learned/network.h"

namespace deconvoy::worker::learned {

// A convolution in two or three dimensions with the same kernel extent along each of them.
class Convolution : public torch::nn::Module {
 public:
  struct Shape {
    int dimensions = 3;
    int64_t in = 1, out = 1;
    int64_t kernel = 3;  // odd
    bool bias = true;
  };
  using Activate = std::function<torch::Tensor(const torch::Tensor&)>;
  explicit Convolution(const Shape& shape);

  // [n, in, (z,) y, x] to [n, out, (z,) y, x].
  torch::Tensor operator()(const torch::Tensor& x) const;

  // What `then` makes of the convolution of `parts`, whose channels follow one another: anything of the same voxels,
  // from their own channels alone. It may be called for some planes of one image at a time, while they are in the
  // cache.
  torch::Tensor operator()(const std::vector<torch::Tensor>& parts, const Activate& then) const;

  torch::Tensor weight, bias;  // bias is undefined where there is none

 private:
  const Shape shape_;
};

// ln(1 + e^x) of each value.
torch::Tensor SoftplusOf(const torch::Tensor& x);

// A network as a module. Its parameters and buffers are what a model's file holds, by name.
class Network : public torch::nn::Module {
 public:
  // Normalised values [n, 1, z, y, x] to [n, outputs, z, y, x], with extents that are multiples of the step. The first
  // output is the value, the second, if there is one, the logarithm of the scale. `noise` is the standard deviation of
  // each of the n boxes, [n], of a network that denoises; others do not look at it.
  virtual torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) = 0;

  // The same of xz slices alone, in networks whose result is the mean of those and of yz slices.
  virtual torch::Tensor RestoreXz(const torch::Tensor& u, const torch::Tensor& noise) { return Restore(u, noise); }

  // Called once before training, with inputs as they will be: weights may adapt to them. They have been drawn.
  virtual void Settle(const torch::Tensor& /*u*/) {}
};

// The second output counts between plus and minus this.
inline constexpr double kLargestLogScale = 10;

// Values of one output, with the input's own added to the first.
torch::Tensor AddToValue(const torch::Tensor& outputs, const torch::Tensor& u);

// Draws all kernels in `module` after He et al. (2015); other parameters stay as they were made.
void DrawWeights(torch::nn::Module& module, uint64_t seed);

// The PSF on its smallest box with the origin in the middle, [z, y, x].
torch::Tensor CentredPsf(const PreparedPsf& psf);

// A network with its weights not drawn yet. `psf` is that of a network that knows it: as CentredPsf makes it, or zeros
// of its extents. REQUIRES: a known name, and the extents odd.
std::shared_ptr<Network> MakeNetwork(std::string_view name, Head head, const torch::Tensor& psf);

}  // namespace deconvoy::worker::learned
