#include "worker/learned/network_module.h"

#include <algorithm>
#include <cmath>

#include "worker/imaging/random.h"

namespace deconvoy::worker::learned {
namespace {

using Parts = std::vector<torch::Tensor>;

int64_t ChannelsOf(const Parts& parts) {
  int64_t channels = 0;
  for (const torch::Tensor& part : parts) channels += part.size(1);
  return channels;
}

// Planes `from` to `to` of x, [n, c, z, y, x], and planes of 0 where it has none.
torch::Tensor Planes(const torch::Tensor& x, int64_t from, int64_t to) {
  const int64_t first = std::max<int64_t>(from, 0), last = std::min(to, x.size(2));
  const torch::Tensor inside = x.slice(2, first, last);
  if (first == from && last == to) return inside;
  return torch::constant_pad_nd(inside, {0, 0, 0, 0, first - from, to - last});
}

// Kernels of few channels are computed several times as fast as one of planes, whose channels are those of three
// planes. [n, in, z, y, x] to the planes `from` to `to` of [n, z, out, y, x].
torch::Tensor ByPlanes(const Parts& parts, const torch::Tensor& weight, const torch::Tensor& bias, int64_t from,
                       int64_t to) {
  const torch::Tensor& x = parts.front();
  const int64_t n = x.size(0), kernel = weight.size(2), reach = kernel / 2, planes = to - from;
  Parts padded, shifted;
  for (const torch::Tensor& part : parts) padded.push_back(Planes(part, from - reach, to + reach).transpose(1, 2));
  for (int64_t k = 0; k < kernel; ++k) {
    for (const torch::Tensor& part : padded) shifted.push_back(part.slice(1, k, k + planes));
  }
  const int64_t channels = kernel * ChannelsOf(parts);
  const torch::Tensor stacked = torch::cat(shifted, 2).reshape({n * planes, channels, x.size(3), x.size(4)});
  const torch::Tensor flat = weight.permute({0, 2, 1, 3, 4}).reshape({weight.size(0), channels, kernel, kernel});
  return torch::conv2d(stacked, flat, bias, 1, reach).reshape({n, planes, weight.size(0), x.size(3), x.size(4)});
}

constexpr int64_t kStripBytes = 16 << 20;

// `then` of ByPlanes over all planes, as [n, out, z, y, x]. What is made on the way is several times as large as what
// comes in and goes out.
torch::Tensor ByStrips(const Parts& parts, const torch::Tensor& weight, const torch::Tensor& bias,
                       const Convolution::Activate& then) {
  const torch::Tensor& x = parts.front();
  const int64_t n = x.size(0), planes = x.size(2);
  if (torch::GradMode::is_enabled()) return then(ByPlanes(parts, weight, bias, 0, planes)).transpose(1, 2);
  const int64_t voxel_bytes =
      (ChannelsOf(parts) * weight.size(2) + weight.size(0)) * static_cast<int64_t>(sizeof(float));
  const int64_t strip = std::clamp<int64_t>(kStripBytes / (voxel_bytes * n * x.size(3) * x.size(4)), 1, planes);
  torch::Tensor result = torch::empty({n, planes, weight.size(0), x.size(3), x.size(4)}, x.options());
  for (int64_t z = 0; z < planes; z += strip) {
    const int64_t end = std::min(z + strip, planes);
    result.slice(1, z, end).copy_(then(ByPlanes(parts, weight, bias, z, end)));
  }
  return result.transpose(1, 2);
}

// Channels below which a kernel is computed by planes: with gradients all that is made on the way is kept.
constexpr int64_t kFew = 33, kFewWithGradients = 16;
constexpr int64_t kLeastKernelAxes = 4;  // of a kernel: out, in, y, x

}  // namespace

Convolution::Convolution(const Shape& shape) : shape_(shape) {
  std::vector<int64_t> extents{shape.out, shape.in};
  extents.insert(extents.end(), static_cast<size_t>(shape.dimensions), shape.kernel);
  weight = register_parameter("weight", torch::zeros(extents));
  if (shape.bias) bias = register_parameter("bias", torch::zeros({shape.out}));
}

torch::Tensor Convolution::operator()(const torch::Tensor& x) const {
  return (*this)(Parts{x}, [](const torch::Tensor& result) { return result; });
}

torch::Tensor Convolution::operator()(const Parts& parts, const Activate& then) const {
  const int64_t reach = shape_.kernel / 2;
  const int64_t few = torch::GradMode::is_enabled() ? kFewWithGradients : kFew;
  if (shape_.dimensions == 3 && shape_.kernel > 1 && shape_.in < few && parts.front().device().is_cpu()) {
    return ByStrips(parts, weight, bias, then);
  }
  const torch::Tensor x = parts.size() == 1 ? parts.front() : torch::cat(parts, 1);
  return then(shape_.dimensions == 2 ? torch::conv2d(x, weight, bias, 1, reach)
                                     : torch::conv3d(x, weight, bias, 1, reach));
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
