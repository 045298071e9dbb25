// Dense deconvolution network, small: each layer sees all layers before it in its block, and the result all blocks.
//
//   entry   3x3x3 to 8 channels
//   block   three layers 3x3x3 to 4 channels, max(., 0), each of what enters the block and the layers before; then
//   1x1x1 of
//           all of them to 8
//   result  1x1x1 of what enters and of the three blocks' results to the outputs; the image is added to the value
//
// 12461 parameters. M. Guo et al., Nat. Biotechnol. 38 (2020) 1337 (DenseDeconNet), after G. Huang et al., CVPR (2017)
// 2261.
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class Ddn final : public Network {
 public:
  explicit Ddn(int64_t outputs);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  struct Block {
    std::vector<std::shared_ptr<Convolution>> layers;
    std::shared_ptr<Convolution> last;
  };

  std::shared_ptr<Convolution> entry_, result_;
  std::vector<Block> blocks_;
};

}  // namespace deconvoy::worker::learned
