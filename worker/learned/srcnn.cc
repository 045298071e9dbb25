#include "worker/learned/srcnn.h"

namespace deconvoy::worker::learned {

Srcnn::Srcnn(int64_t outputs)
    : patches_(register_module("patches", std::make_shared<Convolution>(Convolution::Shape{2, 1, 64, 9}))),
      mapping_(register_module("mapping", std::make_shared<Convolution>(Convolution::Shape{2, 64, 32, 1}))),
      result_(register_module("result", std::make_shared<Convolution>(Convolution::Shape{2, 32, outputs, 5}))) {}

torch::Tensor Srcnn::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  const torch::Tensor planes = u.transpose(1, 2).flatten(0, 1);  // [n z, 1, y, x]
  const torch::Tensor result = (*result_)(torch::relu((*mapping_)(torch::relu((*patches_)(planes)))));
  return result.reshape({u.size(0), u.size(2), result.size(1), u.size(3), u.size(4)}).transpose(1, 2);
}

}  // namespace deconvoy::worker::learned
