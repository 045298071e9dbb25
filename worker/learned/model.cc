#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/container.h"
#include "worker/learned/model_file.h"
#include "worker/learned/network.h"
#include "worker/learned/network_module.h"
#include "worker/learned/tensor_memory.h"
#include "worker/learned/torch_status.h"
#include "worker/memory/budget.h"

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kManyVoxels = 1'000'000;

int64_t UpTo(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}

// Reflected at the ends up to multiples of `step`, the last plane of each axis once.
torch::Tensor Rounded(torch::Tensor u, int64_t step) {
  for (int64_t axis = 2; axis < 5; ++axis) {
    const int64_t n = u.size(axis), rounded = UpTo(n, step);
    if (rounded == n) continue;
    std::vector<int64_t> index;
    for (int64_t i = 0; i < rounded; ++i) {
      const int64_t j = n == 1 ? 0 : i % (2 * (n - 1));
      index.push_back(std::min(j, std::max<int64_t>(2 * (n - 1) - j, 0)));
    }
    u = u.index_select(axis, torch::tensor(index, torch::TensorOptions().device(u.device()).dtype(torch::kInt64)));
  }
  return u;
}

std::vector<float> ToValues(const torch::Tensor& tensor) {
  const torch::Tensor here = tensor.to(torch::kCPU).contiguous();
  const float* first = here.data_ptr<float>();
  return {first, first + here.numel()};
}

class TorchModel final : public Model {
 public:
  TorchModel(LoadedNetwork loaded, torch::Device device) : loaded_(std::move(loaded)), device_(device) {
    loaded_.network->to(device_);
    if (kind().knows_psf) {
      const torch::Tensor psf = loaded_.network->named_buffers()["psf"];
      psf_reach_ = {psf.size(0) - 1, psf.size(1) - 1, psf.size(2) - 1};
    }
  }

  const ModelFacts& facts() const override { return loaded_.facts; }
  const NetworkKind& kind() const override { return *loaded_.kind; }

  // What enters at a voxel goes through H and its adjoint again and again, ever fainter: twice the PSF's box is as far
  // as it tells in the third digit.
  Shape3 halo() const override {
    const auto along = [this](int64_t reach) { return UpTo(kind().halo + 2 * reach, kind().step); };
    return {along(psf_reach_.z), along(psf_reach_.y), along(psf_reach_.x)};
  }

  int64_t MemoryBytes(const Shape3& box) const override {
    const Shape3 padded{UpTo(box.z, kind().step) + psf_reach_.z, UpTo(box.y, kind().step) + psf_reach_.y,
                        UpTo(box.x, kind().step) + psf_reach_.x};
    const int64_t small = kSmallBoxBytes * std::max<int64_t>(kManyVoxels - padded.voxels(), 0) / kManyVoxels;
    return TaskBytes(padded, kind().bytes_per_voxel) + small;
  }

  absl::StatusOr<Estimate> Apply(std::span<const float> values, const Shape3& box, const Scale& scale,
                                 float noise) const override {
    if (box.empty() || static_cast<int64_t>(values.size()) != box.voxels() || !(scale.range > 0)) {
      return MakeError({.reason = v1::INVALID_FIELD, .field = "box"},
                       fmt::format("a box of {} x {} x {} with {} values and the range {} cannot be restored", box.z,
                                   box.y, box.x, values.size(), scale.range));
    }
    return Guarded(fmt::format("applying {}", kind().name), [&] { return Restore(values, box, scale, noise); });
  }

 private:
  absl::StatusOr<Estimate> Restore(std::span<const float> values, const Shape3& box, const Scale& scale,
                                   float noise) const {
    const KeptTensorMemory kept;
    const torch::NoGradGuard no_gradients;
    const bool denoises = kind().purpose == Purpose::kDenoise;
    torch::Tensor u = torch::from_blob(const_cast<float*>(values.data()), {1, 1, box.z, box.y, box.x}).to(device_);
    if (!denoises) u = (u - scale.offset) / scale.range;
    const float range = denoises ? 1 : scale.range;
    const torch::Tensor r = loaded_.network->Restore(Rounded(u, kind().step), torch::full({1}, noise, u.options()))
                                .slice(2, 0, box.z)
                                .slice(3, 0, box.y)
                                .slice(4, 0, box.x);
    Estimate estimate{ToValues(r.slice(1, 0, 1) * range), {}};
    if (r.size(1) > 1) {
      const torch::Tensor log_scale = r.slice(1, 1).clamp(-kLargestLogScale, kLargestLogScale);
      estimate.spread = ToValues(torch::exp(log_scale) * (range * std::numbers::sqrt2));
    }
    for (const auto* values_of : {&estimate.value, &estimate.spread}) {
      if (std::any_of(values_of->begin(), values_of->end(), [](float v) { return !std::isfinite(v); })) {
        return MakeError({.reason = v1::BAD_OUTPUT, .remedy = "Check the image for NaN; else train the model anew."},
                         fmt::format("the model's result has values that are not finite"));
      }
    }
    return estimate;
  }

  const LoadedNetwork loaded_;
  const torch::Device device_;
  Shape3 psf_reach_;  // extents of the PSF's box less one, where the network knows it
};

Runtime FindRuntime() {
  Runtime runtime{.version = fmt::format("{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR), .devices = {"cpu"}};
  if (torch::cuda::is_available()) runtime.devices.emplace_back("cuda");
  return runtime;
}

}  // namespace

const Runtime& TheRuntime() {
  static const Runtime& runtime = *new Runtime(FindRuntime());
  return runtime;
}

void SetThreads(int threads) {
  at::set_num_threads(std::max(threads, 1));
}

absl::StatusOr<std::unique_ptr<Model>> LoadModel(std::span<const std::byte> file, std::string_view device) {
  const std::vector<std::string>& devices = TheRuntime().devices;
  if (std::find(devices.begin(), devices.end(), device) == devices.end()) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "device", .remedy = "Leave it out for the processors."},
                     fmt::format("there is no device '{}' for models", Printable(device)));
  }
  ASSIGN_OR_RETURN(const Container container, ReadContainer(file));
  return Guarded("loading a model", [&]() -> absl::StatusOr<std::unique_ptr<Model>> {
    ASSIGN_OR_RETURN(LoadedNetwork loaded, FromContainer(container));
    return std::make_unique<TorchModel>(std::move(loaded), torch::Device(std::string(device)));
  });
}

}  // namespace deconvoy::worker::learned
