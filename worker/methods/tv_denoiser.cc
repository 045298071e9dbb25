#include "worker/methods/tv_denoiser.h"

#include <array>
#include <utility>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

constexpr int kSteps = 5;

class Running final : public Denoiser {
 public:
  explicit Running(const Problem& problem) : ops_(*problem.ops) {
    float squares = 0;
    for (const float factor : problem.differences.factors) squares += factor * factor;
    step_ = 1 / (4 * squares);
    dual_.slopes = Slopes::kFirst;
    for (size_t axis = 0; axis < 3; ++axis) dual_.factors[axis] = step_ * problem.differences.factors[axis];
  }

  absl::Status Allocate() {
    const Box3 whole{{}, ops_.domain()};
    ASSIGN_OR_RETURN(v_, ops_.Allocate(whole));
    for (size_t part = 0; part < parts_.size(); ++part) {
      ASSIGN_OR_RETURN(parts_[part], ops_.Allocate(whole));
      dual_.parts[part] = parts_[part].get();
    }
    return absl::OkStatus();
  }

  // With K = s D, an update's u is P of its u before and s D x.
  absl::Status Denoise(Array& v, float sigma) override {
    dual_.threshold = sigma;
    RETURN_IF_ERROR(ops_.Copy(v, v.box(), *v_));
    RETURN_IF_ERROR(ops_.SubtractDual(*v_, dual_, 1 / step_, v));
    for (int step = 0; step < kSteps; ++step) {
      RETURN_IF_ERROR(ops_.UpdateSplit(v, dual_, 1).status());
      RETURN_IF_ERROR(ops_.SubtractDual(*v_, dual_, 1 / step_, v));
    }
    return absl::OkStatus();
  }

 private:
  // Constant.
  Ops& ops_;
  float step_;  // s

  // From call to call.
  PriorSplit dual_;  // of which only u is looked at
  std::array<std::unique_ptr<Array>, 3> parts_;
  std::unique_ptr<Array> v_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Denoiser>> TotalVariationDenoiser::Open(const Problem& problem) const {
  auto running = std::make_unique<Running>(problem);
  RETURN_IF_ERROR(running->Allocate());
  return std::unique_ptr<Denoiser>(std::move(running));
}

}  // namespace deconvoy::worker
