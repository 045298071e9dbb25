// Judges what a method makes of a part of the data by the rest.
//
// What was held out (held_out.h) has noise of its own: noise that a method has fitted does not help it there. The score
// of an estimate x is
//
//   likelihood         sum of (v + b) - y + y ln(y / (v + b)),  v = H x, over what is held out: the lower the likelier
//   squared residual   sum of (y - b - v)^2
//
// Photons are held out where the counts are Poisson (noise.h), else voxels. The squared residual judges methods for
// Gaussian noise, whose estimates have values below 0 that have no likelihood; the likelihood all others.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <utility>

#include "worker/calibration/held_out.h"
#include "worker/calibration/sample.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

class Judge {
 public:
  // Splits the sample's values, which are lost. Errors: those of Ops.
  static absl::StatusOr<Judge> Of(const CalibrationSample& sample, const Method& method);

  // For the method: its data are those that are kept.
  const Problem& problem() const { return held_out_.problem; }
  absl::StatusOr<double> Score(const Array& estimate) const;
  // Of what is compared with what, for people.
  std::string criterion() const;

 private:
  Judge(HeldOut held_out, std::unique_ptr<Array> model, bool likelihood, bool photons)
      : held_out_(std::move(held_out)), model_(std::move(model)), likelihood_(likelihood), photons_(photons) {}

  HeldOut held_out_;
  std::unique_ptr<Array> model_;  // scratch
  bool likelihood_, photons_;
};

}  // namespace deconvoy::worker
