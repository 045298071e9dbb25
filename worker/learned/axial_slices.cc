#include "worker/learned/axial_slices.h"

namespace deconvoy::worker::learned {

torch::Tensor MeanOfAxialSlices(const torch::Tensor& u,
                                const std::function<torch::Tensor(const torch::Tensor&)>& slice) {
  const auto through = [&](const torch::Tensor& stack) {  // [n, k, z, w]: slices along k
    const torch::Tensor result = slice(stack.flatten(0, 1).unsqueeze(1));
    return result.reshape({stack.size(0), stack.size(1), result.size(1), stack.size(2), stack.size(3)});
  };
  const torch::Tensor volume = u.squeeze(1);                                                // [n, z, y, x]
  const torch::Tensor xz = through(volume.transpose(1, 2)).permute({0, 2, 3, 1, 4});        // of [n, y, c, z, x]
  const torch::Tensor yz = through(volume.permute({0, 3, 1, 2})).permute({0, 2, 3, 4, 1});  // of [n, x, c, z, y]
  return (xz + yz) / 2;
}

}  // namespace deconvoy::worker::learned
