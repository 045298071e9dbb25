// Iterations of the Richardson-Lucy family.
//
//   x <- p / (w max(1 + strength R'(p), 0.1)) . B( m y / max(H p + b, e mean y) ),   w = B m
//
// in the terms of worker/methods/rl.h; R' is the derivative of a roughness where there is one (worker/ops/backend.h).
// It counts as much as the data do: without the factor w the step would be unstable where little was measured.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "worker/methods/curve.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

// How the point p that a step is taken from moves ahead of x.
class Acceleration {
 public:
  explicit Acceleration(const std::string& name) : heavy_ball_(name == "heavy-ball"), biggs_(name == "biggs-andrews") {}

  bool needs_previous() const { return heavy_ball_ || biggs_; }
  bool needs_change() const { return biggs_; }
  // a in iteration k = 1, 2, ...; `products` are those of the update before.
  float Factor(int64_t k, const ChangeProducts& products) const;

 private:
  bool heavy_ball_;
  bool biggs_;
};

// m y / max(v + b, e mean y), without an output: what all iterations on Poisson counts take back. The I-divergence and
// the squares of the residual go to `measures`; null: nowhere.
GuardedRatio QuotientOf(const Problem& problem, Measures* measures = nullptr);

inline constexpr float kLeastWeight = 0.01F;        // no update where w is below
inline constexpr float kExtrapolationFloor = 0.1F;  // of x: p is no lower

// What takes the quotient back, with its normalisation.
struct BackProjection {
  const Otf* otf = nullptr;  // of which the adjoint is taken
  std::unique_ptr<Otf> own;  // null for H*
  std::unique_ptr<Weights> w;
  float floor = 0;  // of the estimate: rounding may fall below
  float full_weight = 0;
  float raise = 0;  // of data and model
};

// H* and its weights.
absl::StatusOr<BackProjection> MakeMatched(const Problem& problem);

// A roughness that is held down.
struct Penalty {
  Roughness kind;
  float strength;
  float floor;  // of gradients or of the estimate, as the roughness has it
};

// A run under way.
class RlIteration {
 public:
  // Problem and monitor must outlive it. The objective is the I-divergence.
  RlIteration(const Problem& problem, const Acceleration& acceleration, int64_t iterations, const Curve& curve,
              Monitor& monitor, std::optional<Penalty> penalty = std::nullopt)
      : problem_(problem),
        monitor_(monitor),
        acceleration_(acceleration),
        iterations_(iterations),
        curve_(curve),
        penalty_(penalty) {}

  // Takes the estimate to start from.
  absl::Status Start(std::unique_ptr<Array> x);

  // Iterations up to number `last`, from p = x where not `accelerated`.
  absl::Status RunTo(int64_t last, const BackProjection& back, bool accelerated);

  std::unique_ptr<Array> TakeEstimate() { return std::move(x_); }

 private:
  // `measures`: of the point that the step is taken from; null: none.
  absl::Status Step(const BackProjection& back, float alpha, Measures* measures);

  // Constant.
  const Problem& problem_;
  Monitor& monitor_;
  const Acceleration acceleration_;
  const int64_t iterations_;
  const Curve curve_;
  const std::optional<Penalty> penalty_;

  // From iteration to iteration.
  std::unique_ptr<Array> x_, x_previous_, change_, roughness_;
  ChangeProducts products_;
  int64_t done_ = 0;
};

// The parameter `acceleration`, heavy-ball unless chosen.
void AddAcceleration(v1::Method& method);

// Parameters, boundaries, noise model, transforms and memory of a method whose only penalty is a roughness: as rl, and
// 4 bytes per padded voxel for the penalty. `lambda` is the default strength.
void DescribePenalised(v1::Method& method, double lambda, std::string_view meaning);

// A run of such a method. Below 1e-3 of the mean gradients and voxels count as flat or as this bright.
absl::StatusOr<std::unique_ptr<Array>> RunPenalised(const Problem& problem, const Parameters& parameters,
                                                    Roughness roughness, Monitor& monitor);

}  // namespace deconvoy::worker
