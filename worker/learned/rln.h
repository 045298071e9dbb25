// Richardson-Lucy network: one step of Richardson-Lucy with learned kernels, on a coarse and on the original grid.
//
//   coarse    d = u averaged over 2x2x2;  B = back(d / forward(d));  E1 = s(a1 u mean(up(B)) + c1)
//   original  B = back(u / forward(u)) + 1;                          E2 = s(a2 E1 mean(B) + c2)
//   merge     r = mean of s(convolution of [F, s(convolution of [F, E1, E2])]),  F = s(convolution of E2)
//
// s(x) = ln(1 + e^x), means over channels, all kernels 3x3x3 but those of `up`, a transposed 2x2x2. forward(x) has
// 4 channels: two convolutions (three on the coarse grid, the last of both results), s(x) added to each, their mean;
// back(q) has 8. Published with batch normalisation before each s; here each convolution has a bias, and scale and bias
// begin so that its results have mean 0 and deviation 1 on the first examples, as batch normalisation would give:
// a result then does not depend on what else is computed with it.
//
// 15904 parameters. Y. Li et al., Nat. Methods 19 (2022) 1427.
#pragma once

#include <memory>

#include "worker/learned/network_module.h"

namespace deconvoy::worker::learned {

// What s is, and what it is without activations, for tests.
enum class Activation { kSoftplus, kNone };

// A convolution and an activation.
class RlnUnit : public torch::nn::Module {
 public:
  RlnUnit(int64_t in, int64_t out);
  // Of `parts`, whose channels follow one another.
  torch::Tensor operator()(const std::vector<torch::Tensor>& parts);
  // What `then` makes of that (Convolution), which need not be kept.
  torch::Tensor operator()(const std::vector<torch::Tensor>& parts, const Convolution::Activate& then);

  Activation activation = Activation::kSoftplus;
  bool settling = false;  // the next pass makes mean 0 and deviation 1
  std::shared_ptr<Convolution> convolution;
};

// The blocks FP, DV and BP of one grid. With the kernels of a PSF and without activations,
// x MeanBack(Quotient(x)) is one step of Richardson-Lucy from the image itself.
class RlnBlock : public torch::nn::Module {
 public:
  // `deep`: three convolutions each way, else two.
  explicit RlnBlock(bool deep);
  // x / (forward(x) + 1e-4), [n, 1, ...].
  torch::Tensor Quotient(const torch::Tensor& x);
  // [n, 8, ...].
  torch::Tensor Back(const torch::Tensor& quotient);
  // The mean of its channels, [n, 1, ...].
  torch::Tensor MeanBack(const torch::Tensor& quotient);

  std::vector<std::shared_ptr<RlnUnit>> forward_units, back_units;
  Activation activation = Activation::kSoftplus;  // of what is added

 private:
  static torch::Tensor Through(const std::vector<std::shared_ptr<RlnUnit>>& units, const torch::Tensor& x,
                               const Convolution::Activate& then);
};

class Rln final : public Network {
 public:
  explicit Rln(int64_t outputs);
  torch::Tensor Restore(const torch::Tensor& u, const torch::Tensor& noise) override;
  void Settle(const torch::Tensor& u) override;

 private:
  const int64_t outputs_;
  std::shared_ptr<RlnBlock> coarse_, fine_;
  torch::Tensor up_, up_bias_;    // 8 to 4 channels
  torch::Tensor first_, second_;  // (a1, c1), (a2, c2)
  std::shared_ptr<RlnUnit> raised_, merge_1_, merge_2_, merge_3_;
};

}  // namespace deconvoy::worker::learned
