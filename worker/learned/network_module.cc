#include "worker/learned/network_module.h"

#include <algorithm>
#include <cmath>

#include "worker/imaging/random.h"

namespace deconvoy::worker::learned {
namespace {

// Kernels of few channels are computed several times as fast as one of planes, whose channels are those of three
// planes.
torch::Tensor ByPlanes(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  const int64_t n = x.size(0), channels = x.size(1), planes = x.size(2), kernel = weight.size(2), reach = kernel / 2;
  const torch::Tensor padded = torch::constant_pad_nd(x, {0, 0, 0, 0, reach, reach}).transpose(1, 2);
  std::vector<torch::Tensor> shifted;
  for (int64_t k = 0; k < kernel; ++k) shifted.push_back(padded.slice(1, k, k + planes));
  const torch::Tensor stacked = torch::cat(shifted, 2).reshape({n * planes, kernel * channels, x.size(3), x.size(4)});
  const torch::Tensor flat =
      weight.permute({0, 2, 1, 3, 4}).reshape({weight.size(0), kernel * channels, kernel, kernel});
  const torch::Tensor result = torch::conv2d(stacked, flat, bias, 1, reach);
  return result.reshape({n, planes, weight.size(0), x.size(3), x.size(4)}).transpose(1, 2);
}

constexpr int64_t kFewChannels = 16;
constexpr int64_t kLeastKernelAxes = 4;  // of a kernel: out, in, y, x

}  // namespace

Convolution::Convolution(const Shape& shape) : shape_(shape) {
  std::vector<int64_t> extents{shape.out, shape.in};
  extents.insert(extents.end(), static_cast<size_t>(shape.dimensions), shape.kernel);
  weight = register_parameter("weight", torch::zeros(extents));
  if (shape.bias) bias = register_parameter("bias", torch::zeros({shape.out}));
}

torch::Tensor Convolution::operator()(const torch::Tensor& x) const {
  const int64_t reach = shape_.kernel / 2;
  if (shape_.dimensions == 2) return torch::conv2d(x, weight, bias, 1, reach);
  if (shape_.kernel > 1 && shape_.in < kFewChannels && x.device().is_cpu()) return ByPlanes(x, weight, bias);
  return torch::conv3d(x, weight, bias, 1, reach);
}

torch::Tensor AddToValue(const torch::Tensor& outputs, const torch::Tensor& u) {
  if (outputs.size(1) == 1) return outputs + u;
  return torch::cat({outputs.slice(1, 0, 1) + u, outputs.slice(1, 1)}, 1);
}

void DrawWeights(torch::nn::Module& module, uint64_t seed) {
  const torch::NoGradGuard no_gradients;
  uint64_t stream = 0;
  for (torch::Tensor& weight : module.parameters()) {
    if (weight.dim() < kLeastKernelAxes) continue;
    const double deviation = std::sqrt(2.0 / static_cast<double>(weight[0].numel()));
    Random random = Random::OfVoxel(seed, 11, stream++);
    std::vector<float> values(static_cast<size_t>(weight.numel()));
    for (float& value : values) value = static_cast<float>(deviation * random.Normal());
    weight.copy_(torch::from_blob(values.data(), weight.sizes()));
  }
}

torch::Tensor CentredPsf(const PreparedPsf& psf) {
  const Voxel reach{std::max(psf.centre.z, psf.shape.z - 1 - psf.centre.z),
                    std::max(psf.centre.y, psf.shape.y - 1 - psf.centre.y),
                    std::max(psf.centre.x, psf.shape.x - 1 - psf.centre.x)};
  const Voxel from = reach - psf.centre;
  torch::Tensor centred = torch::zeros({2 * reach.z + 1, 2 * reach.y + 1, 2 * reach.x + 1});
  centred.slice(0, from.z, from.z + psf.shape.z)
      .slice(1, from.y, from.y + psf.shape.y)
      .slice(2, from.x, from.x + psf.shape.x)
      .copy_(torch::from_blob(const_cast<float*>(psf.values.data()), {psf.shape.z, psf.shape.y, psf.shape.x}));
  return centred;
}

}  // namespace deconvoy::worker::learned
