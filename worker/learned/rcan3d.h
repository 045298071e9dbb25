// Residual channel attention network, small: 2 groups of 2 blocks with 16 channels.
//
//   block  x + c A,  c = two convolutions 3x3x3 of x, max(., 0) between;  A = sigmoid of two 1x1x1 (16 to 4 to 16) of
//   mean c group  x + a convolution of its blocks' result;   all  r = u + convolution of (x + convolution of the
//   groups' result)
//
// Published with the mean over the whole image, which would make a tile's result depend on the tile; here it is that of
// the 9x9x9 voxels around each.
//
// 77681 parameters. J. Chen et al., Nat. Methods 18 (2021) 678, after Y. Zhang et al., ECCV (2018) 286.
#pragma once

#include <memory>
#include <vector>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

class Rcan3d final : public Network {
 public:
  explicit Rcan3d(int64_t outputs);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;

 private:
  struct Block {
    std::shared_ptr<Convolution> first, second, squeeze, widen;
  };
  struct Group {
    std::vector<Block> blocks;
    std::shared_ptr<Convolution> last;
  };

  std::shared_ptr<Convolution> entry_, last_, result_;
  std::vector<Group> groups_;
};

}  // namespace deconvoy::worker::learned
