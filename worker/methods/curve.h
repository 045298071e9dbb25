// The curve of a run: objective and residuals of some of its iterations, as v1::ObjectiveValue defines them.
//
// A method measures them where it compares its model with the data anyway: at the point p that an iteration starts
// from, or with a splitting at the x that it leaves. No iteration needs a transform more for it, and one that tells
// nothing does nothing for it: what it costs else, a pass over the measured voxels, falls with the distance of those
// that are told.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Adds the parameter `objective`: the distance of the iterations that are told.
void AddCurve(v1::Method& method);

// What an iteration that is told has measured.
struct Measures {
  double objective = 0;         // as the method defines it
  double squares = 0;           // sum of m (y - b - H p)^2
  double primal = 0, dual = 0;  // squared residuals of a splitting, each over the square of its copies' size

  // As another view adds to them.
  void Add(const Measures& other) {
    objective += other.objective;
    squares += other.squares;
  }
};

class Curve {
 public:
  // Tells nothing.
  Curve() = default;
  // As the parameter `objective` says, where the monitor hears it: then the sum of m (y - b)^2 over all views is found.
  // REQUIRES: the parameters `iterations` and `objective`. Errors: those of Ops.
  static absl::StatusOr<Curve> Of(const Problem& problem, const Parameters& parameters, const Monitor& monitor);
  // After every so many of `iterations`. REQUIRES: both at least 1.
  static absl::StatusOr<Curve> Every(int64_t distance, int64_t iterations, const Problem& problem);

  // Whether any iteration is told.
  bool tells() const { return every_ > 0; }
  // Whether iteration k = 1, 2, ... is: the first, every so many, and the last.
  bool Tells(int64_t k) const { return tells() && (k == 1 || k % every_ == 0 || k == iterations_); }
  // What a monitor hears with iteration k; empty where it is not told.
  std::optional<v1::ObjectiveValue> After(int64_t k, const Measures& measures) const;
  // The same of iteration k that ended the run before its time, so that it is told whatever its number.
  std::optional<v1::ObjectiveValue> AfterLast(int64_t k, const Measures& measures) const;

 private:
  int64_t every_ = 0;  // 0: none
  int64_t iterations_ = 0;
  double data_squares_ = 0;
};

}  // namespace deconvoy::worker
