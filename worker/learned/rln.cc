#include "worker/learned/rln.h"

#include <torch/nn/functional.h>

#include <string>

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kWidth = 4;
constexpr double kLeastDenominator = 1e-4;

torch::Tensor Activate(Activation activation, const torch::Tensor& x) {
  return activation == Activation::kSoftplus ? SoftplusOf(x) : x;
}

torch::Tensor Same(const torch::Tensor& x) {
  return x;
}

torch::Tensor MeanOfChannels(const torch::Tensor& x) {
  return x.mean(1, /*keepdim=*/true);
}

// s(a x + c) with (a, c) = `affine`.
torch::Tensor Scaled(const torch::Tensor& x, const torch::Tensor& affine) {
  return SoftplusOf(x * affine[0] + affine[1]);
}

}  // namespace

RlnUnit::RlnUnit(int64_t in, int64_t out)
    : convolution(register_module("c", std::make_shared<Convolution>(Convolution::Shape{.in = in, .out = out}))) {}

torch::Tensor RlnUnit::operator()(const std::vector<torch::Tensor>& parts) {
  return (*this)(parts, Same);
}

torch::Tensor RlnUnit::operator()(const std::vector<torch::Tensor>& parts, const Convolution::Activate& then) {
  if (settling) {
    const torch::NoGradGuard no_gradients;
    const torch::Tensor plain = (*convolution)(torch::cat(parts, 1)).transpose(0, 1).flatten(1);
    const torch::Tensor deviation = plain.std({1}, /*unbiased=*/true).clamp_min(1e-6);
    convolution->bias.sub_(plain.mean(1)).div_(deviation);
    convolution->weight.div_(deviation.view({-1, 1, 1, 1, 1}));
    settling = false;
  }
  return (*convolution)(parts, [&](const torch::Tensor& x) { return then(Activate(activation, x)); });
}

RlnBlock::RlnBlock(bool deep) {
  const auto add = [this, deep](std::vector<std::shared_ptr<RlnUnit>>& units, const std::string& name, int64_t width) {
    const auto one = [&](int64_t in) {
      units.push_back(register_module(name + std::to_string(units.size() + 1), std::make_shared<RlnUnit>(in, width)));
    };
    one(1);
    one(width);
    if (deep) one(2 * width);
  };
  add(forward_units, "forward", kWidth);
  add(back_units, "back", 2 * kWidth);
}

torch::Tensor RlnBlock::Through(const std::vector<std::shared_ptr<RlnUnit>>& units, const torch::Tensor& x,
                                const Convolution::Activate& then) {
  const torch::Tensor first = (*units[0])({x});
  if (units.size() == 2) return (*units[1])({first}, then);
  return (*units[2])({first, (*units[1])({first})}, then);
}

torch::Tensor RlnBlock::Quotient(const torch::Tensor& x) {
  const torch::Tensor forward = Through(forward_units, x, MeanOfChannels) + Activate(activation, x);
  return x / (forward + kLeastDenominator);
}

torch::Tensor RlnBlock::Back(const torch::Tensor& quotient) {
  return Through(back_units, quotient, Same);
}

torch::Tensor RlnBlock::MeanBack(const torch::Tensor& quotient) {
  return Through(back_units, quotient, MeanOfChannels);
}

Rln::Rln(int64_t outputs)
    : outputs_(outputs),
      coarse_(register_module("coarse", std::make_shared<RlnBlock>(/*deep=*/true))),
      fine_(register_module("fine", std::make_shared<RlnBlock>(/*deep=*/false))),
      up_(register_parameter("up_weight", torch::zeros({2 * kWidth, kWidth, 2, 2, 2}))),
      up_bias_(register_parameter("up_bias", torch::zeros({kWidth}))),
      first_(register_parameter("first", torch::tensor({1.0F, 0.0F}))),
      second_(register_parameter("second", torch::tensor({1.0F, 0.0F}))),
      raised_(register_module("raised", std::make_shared<RlnUnit>(kWidth, kWidth))),
      merge_1_(register_module("merge1", std::make_shared<RlnUnit>(1, 2 * kWidth))),
      merge_2_(register_module("merge2", std::make_shared<RlnUnit>(2 * kWidth + 2, 2 * kWidth))),
      merge_3_(register_module("merge3", std::make_shared<RlnUnit>(4 * kWidth, outputs * 2 * kWidth))) {
  merge_3_->activation = Activation::kNone;  // the value has one of its own, the scale none
}

torch::Tensor Rln::Restore(const torch::Tensor& u, const torch::Tensor& /*noise*/) {
  const torch::Tensor back = coarse_->Back(coarse_->Quotient(torch::avg_pool3d(u, 2)));
  const torch::Tensor up = SoftplusOf(torch::conv_transpose3d(back, up_, up_bias_, 2));
  const torch::Tensor e1 = Scaled(u * (*raised_)({up}, MeanOfChannels), first_);
  const torch::Tensor e2 = Scaled(e1 * (fine_->MeanBack(fine_->Quotient(u)) + 1), second_);
  const torch::Tensor merged = (*merge_1_)({e2});
  const torch::Tensor again = (*merge_2_)({merged, e1, e2});
  return (*merge_3_)({merged, again}, [this](const torch::Tensor& last) {
    const torch::Tensor value = MeanOfChannels(SoftplusOf(last.slice(1, 0, 2 * kWidth)));
    return outputs_ == 1 ? value : torch::cat({value, MeanOfChannels(last.slice(1, 2 * kWidth))}, 1);
  });
}

void Rln::Settle(const torch::Tensor& u) {
  const torch::NoGradGuard no_gradients;
  for (const auto& part : modules(/*include_self=*/false)) {
    if (auto* unit = dynamic_cast<RlnUnit*>(part.get())) unit->settling = true;
  }
  Restore(u, {});
  merge_3_->convolution->bias.sub_(3);  // most of a specimen is dark
}

}  // namespace deconvoy::worker::learned
