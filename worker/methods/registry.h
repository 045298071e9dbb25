// All methods that this worker knows.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/methods/denoiser.h"
#include "worker/methods/method.h"

namespace deconvoy::worker {

// Those that need no models, in the order in which they are listed. Pointers live as long as the program.
std::span<const Method* const> AllMethods();
// The one that runs models.
const Method& NetworkMethod();

// The method of this name, or null.
const Method* FindMethod(std::string_view name);

// The method of this name with `denoiser`, which must outlive it, in the place of what its parameters name; null for
// one that takes none.
std::unique_ptr<const Method> MethodWithDenoiser(std::string_view name, const DenoiserKind& denoiser);

// The boundary of a job with this method: its own where it names none.
v1::Boundary BoundaryOf(const v1::DeconvolveSpec& spec, const Method& method);

}  // namespace deconvoy::worker
