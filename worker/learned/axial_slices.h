// Networks in two dimensions on the slices that contain the axis.
#pragma once

#include <torch/types.h>

#include <functional>

namespace deconvoy::worker::learned {

// The mean of what `slice`, from [n, 1, z, x or y] to [n, outputs, z, x or y], makes of all xz slices and of all yz
// slices of u, [n, 1, z, y, x].
torch::Tensor MeanOfAxialSlices(const torch::Tensor& u,
                                const std::function<torch::Tensor(const torch::Tensor&)>& slice);

}  // namespace deconvoy::worker::learned
