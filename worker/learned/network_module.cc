#include "worker/learned/network_module.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "worker/imaging/parallel.h"
#include "worker/imaging/random.h"
#include "worker/learned/few_channels.h"
#include "worker/learned/softplus.h"

namespace deconvoy::worker::learned {
namespace {

using Parts = std::vector<torch::Tensor>;

// Whether what is made of it can be computed by the loops of few_channels.h and softplus.h.
bool HasOwnLoops(const torch::Tensor& x) {
  return !torch::GradMode::is_enabled() && x.device().is_cpu() && x.scalar_type() == torch::kFloat;
}

int64_t ChannelsOf(const Parts& parts) {
  int64_t channels = 0;
  for (const torch::Tensor& part : parts) channels += part.size(1);
  return channels;
}

// Kernels of few channels are computed several times as fast as one of planes, whose channels are those of three
// planes. Of [n, in, z, y, x].
torch::Tensor ByPlanes(const Parts& parts, const torch::Tensor& weight, const torch::Tensor& bias) {
  const torch::Tensor& x = parts.front();
  const int64_t n = x.size(0), kernel = weight.size(2), reach = kernel / 2, planes = x.size(2);
  Parts padded, shifted;
  for (const torch::Tensor& part : parts) {
    padded.push_back(torch::constant_pad_nd(part, {0, 0, 0, 0, reach, reach}).transpose(1, 2));
  }
  for (int64_t k = 0; k < kernel; ++k) {
    for (const torch::Tensor& part : padded) shifted.push_back(part.slice(1, k, k + planes));
  }
  const int64_t channels = kernel * ChannelsOf(parts);
  const torch::Tensor stacked = torch::cat(shifted, 2).reshape({n * planes, channels, x.size(3), x.size(4)});
  const torch::Tensor flat = weight.permute({0, 2, 1, 3, 4}).reshape({weight.size(0), channels, kernel, kernel});
  return torch::conv2d(stacked, flat, bias, 1, reach)
      .reshape({n, planes, weight.size(0), x.size(3), x.size(4)})
      .transpose(1, 2);
}

std::span<const float> ValuesOf(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

// Of [1, in, z, y, x], whose rows follow one another.
std::vector<ChannelPlanes> ChannelsIn(const Parts& parts) {
  std::vector<ChannelPlanes> channels;
  for (const torch::Tensor& part : parts) {
    for (int64_t c = 0; c < part.size(1); ++c) {
      channels.push_back({part.data_ptr<float>() + c * part.stride(1), part.stride(2)});
    }
  }
  return channels;
}

constexpr int64_t kStripBytes = 16 << 20;

// `body(i)` for 0 to count - 1 and the scratch of whoever calls it: each thread has one, of `values`.
class Threads {
 public:
  explicit Threads(int64_t values) : scratch_(static_cast<size_t>(at::get_num_threads())) {
    for (std::vector<float>& one : scratch_) one.resize(static_cast<size_t>(values));
  }
  void Share(int64_t count, const std::function<void(int64_t, std::span<float>)>& body) {
    std::atomic<int64_t> next{0};
    const auto threads = static_cast<int>(scratch_.size());
    ParallelFor(threads, threads, [&](int64_t thread) {
      for (int64_t i = next++; i < count; i = next++) body(i, scratch_[static_cast<size_t>(thread)]);
    });
  }

 private:
  std::vector<std::vector<float>> scratch_;
};

// `then` of the convolution of [1, in, z, y, x] over all planes, made of some of them at a time.
torch::Tensor ByStrips(Parts parts, const FewChannels& convolution, int64_t out, const Convolution::Activate& then,
                       Threads& threads) {
  for (torch::Tensor& part : parts) {
    if (part.stride(4) != 1 || part.stride(3) != part.size(4)) part = part.contiguous();
  }
  const std::vector<ChannelPlanes> channels = ChannelsIn(parts);
  const torch::Tensor& x = parts.front();
  const Shape3 shape{x.size(2), x.size(3), x.size(4)};
  const int64_t plane_bytes = out * shape.y * shape.x * static_cast<int64_t>(sizeof(float));
  const int64_t block = FewChannels::kBlockPlanes;
  const int64_t strip = std::min(std::max(kStripBytes / plane_bytes / block, int64_t{1}) * block, shape.z);
  torch::Tensor result;
  for (int64_t z = 0; z < shape.z; z += strip) {
    const int64_t end = std::min(z + strip, shape.z);
    const torch::Tensor some = torch::empty({1, out, end - z, shape.y, shape.x}, x.options());
    float* const values = some.data_ptr<float>();
    threads.Share(convolution.Blocks(shape, end - z), [&](int64_t i, std::span<float> scratch) {
      convolution.Compute(i, channels, shape, z, end, scratch, values);
    });
    const torch::Tensor made = then(some);
    if (strip == shape.z) return made;
    if (!result.defined()) result = torch::empty({1, made.size(1), shape.z, shape.y, shape.x}, x.options());
    result.slice(2, z, end).copy_(made);
  }
  return result;
}

// The same of each of [n, in, z, y, x].
torch::Tensor OneByOne(const Parts& parts, const torch::Tensor& weight, const torch::Tensor& bias,
                       const Convolution::Activate& then) {
  const torch::Tensor kernels = weight.contiguous();
  const FewChannels convolution(ValuesOf(kernels), bias.defined() ? ValuesOf(bias) : std::span<const float>(),
                                weight.size(1), weight.size(0));
  const torch::Tensor& x = parts.front();
  Threads threads(convolution.ScratchValues({x.size(2), x.size(3), x.size(4)}));
  Parts results;
  for (int64_t i = 0; i < x.size(0); ++i) {
    Parts one;
    for (const torch::Tensor& part : parts) one.push_back(part.slice(0, i, i + 1));
    results.push_back(ByStrips(std::move(one), convolution, weight.size(0), then, threads));
  }
  return results.size() == 1 ? results.front() : torch::cat(results);
}

// Channels of the input below which a kernel is not LibTorch's to compute; with gradients, below which it is one of
// planes: all that is made on the way is then kept.
constexpr int64_t kFew = 33, kFewWithGradients = 16;
constexpr int64_t kSoftplusPart = 1 << 16;  // values that are worth a thread
constexpr int64_t kLeastKernelAxes = 4;     // of a kernel: out, in, y, x

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
  if (shape_.dimensions == 3 && shape_.kernel == 3 && parts.front().device().is_cpu()) {
    if (HasOwnLoops(parts.front()) && shape_.in < kFew) return OneByOne(parts, weight, bias, then);
    if (torch::GradMode::is_enabled() && shape_.in < kFewWithGradients) return then(ByPlanes(parts, weight, bias));
  }
  const torch::Tensor x = parts.size() == 1 ? parts.front() : torch::cat(parts, 1);
  return then(shape_.dimensions == 2 ? torch::conv2d(x, weight, bias, 1, reach)
                                     : torch::conv3d(x, weight, bias, 1, reach));
}

torch::Tensor SoftplusOf(const torch::Tensor& x) {
  if (!HasOwnLoops(x)) return torch::softplus(x);
  const torch::Tensor from = x.contiguous();
  const torch::Tensor result = torch::empty_like(from);
  const float* const values = from.data_ptr<float>();
  float* const to = result.data_ptr<float>();
  const int64_t n = from.numel(), parts = (n + kSoftplusPart - 1) / kSoftplusPart;
  ParallelFor(at::get_num_threads(), parts, [&](int64_t part) {
    const int64_t first = part * kSoftplusPart;
    Softplus(values + first, std::min(kSoftplusPart, n - first), to + first);
  });
  return result;
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
