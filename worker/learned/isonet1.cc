#include "worker/learned/isonet1.h"

namespace deconvoy::worker::learned {

IsoNet1::IsoNet1(int64_t outputs)
    : wide_(register_module("wide", std::make_shared<Convolution>(Convolution::Shape{2, 1, 64, 9}))),
      middle_(register_module("middle", std::make_shared<Convolution>(Convolution::Shape{2, 64, 32, 5}))),
      narrow_(register_module("narrow", std::make_shared<Convolution>(Convolution::Shape{2, 32, 1, 5}))),
      result_(register_module("result", std::make_shared<Convolution>(Convolution::Shape{2, 1, outputs, 1}))) {}

torch::Tensor IsoNet1::RestoreSlices(const torch::Tensor& slices) {
  const torch::Tensor features = torch::relu((*middle_)(torch::relu((*wide_)(slices))));
  return AddToValue((*result_)((*narrow_)(features)), slices);
}

}  // namespace deconvoy::worker::learned
