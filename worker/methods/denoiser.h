// What takes noise out of an estimate in the middle of an iteration, for the methods that are given their prior this
// way.
//
// To add one: a file pair beside this, a line in denoisers.cc.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// At work in one run. Used by one thread.
class Denoiser {
 public:
  virtual ~Denoiser() = default;
  // Takes noise of the standard deviation `sigma` (photons, > 0) out of `v`, in place; v covers the domain. What was
  // found in one call may help the next. Errors: those of Ops.
  virtual absl::Status Denoise(Array& v, float sigma) = 0;
};

// A kind of denoiser. Stateless and shared between threads.
class DenoiserKind {
 public:
  virtual ~DenoiserKind() = default;
  virtual std::string_view name() const = 0;     // lower case
  virtual std::string_view meaning() const = 0;  // one line
  virtual double bytes_per_padded_voxel() const = 0;
  // One for a run; `problem` must outlive it.
  virtual absl::StatusOr<std::unique_ptr<Denoiser>> Open(const Problem& problem) const = 0;
};

// All there are. They live as long as the program.
std::span<const DenoiserKind* const> AllDenoisers();

// Adds the parameters `denoiser` and `sigma`: the noise to take out, relative to the root of the frame's mean, which is
// the noise of a mean voxel. The method then also takes another one that it is given (registry.h, MethodWithDenoiser).
void AddDenoiser(v1::Method& method, double sigma);

// The denoiser `given`, or where that is null the one of the parameters; and sigma in photons.
absl::StatusOr<std::unique_ptr<Denoiser>> OpenDenoiser(const Problem& problem, const Parameters& parameters,
                                                       const DenoiserKind* given);
float SigmaOf(const Problem& problem, const Parameters& parameters);

}  // namespace deconvoy::worker
