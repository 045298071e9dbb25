// Adam: steps by a running mean of the gradient over the root of that of its square, both without their bias towards 0.
//
//   m <- 0.9 m + 0.1 g,   v <- 0.999 v + 0.001 g^2,   p <- p - rate (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) +
//   1e-8)
//
// D. P. Kingma and J. Ba, ICLR (2015). Its state is kept as arrays, so that it can be taken up elsewhere.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace deconvoy::worker::learned {

class Adam {
 public:
  explicit Adam(std::vector<torch::Tensor> parameters);

  // Step t, from 1, by the gradients of the parameters, which are then cleared. All gradients together are shortened to
  // the norm 1 where they are longer. False, and no step, where they are not finite.
  bool Step(int64_t t, double rate);

  // In the order of the parameters.
  std::vector<torch::Tensor> means, squares;

 private:
  const std::vector<torch::Tensor> parameters_;
};

}  // namespace deconvoy::worker::learned
