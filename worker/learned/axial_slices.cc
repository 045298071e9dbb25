#include "worker/learned/axial_slices.h"

namespace deconvoy::worker::learned {

torch::Tensor AxialSlices::Through(const torch::Tensor& stacks) {
  const torch::Tensor result = RestoreSlices(stacks.flatten(0, 1).unsqueeze(1));
  return result.reshape({stacks.size(0), stacks.size(1), result.size(1), stacks.size(2), stacks.size(3)});
}

torch::Tensor AxialSlices::RestoreXz(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  return Through(u.squeeze(1).transpose(1, 2)).permute({0, 2, 3, 1, 4});  // of [n, y, c, z, x]
}

torch::Tensor AxialSlices::Restore(const torch::Tensor& u, const torch::Tensor& noise) {
  const torch::Tensor yz = Through(u.squeeze(1).permute({0, 3, 1, 2})).permute({0, 2, 3, 4, 1});  // of [n, x, c, z, y]
  return (RestoreXz(u, noise) + yz) / 2;
}

}  // namespace deconvoy::worker::learned
