#include "worker/methods/blind_rl.h"

#include <charconv>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/describe.h"
#include "worker/methods/psf_estimation.h"
#include "worker/methods/pupil_fit.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

v1::Method Describe() {
  v1::Method method;
  method.set_name("blind-rl");
  method.set_title("Blind Richardson-Lucy");
  method.set_summary(
      "Richardson-Lucy with a PSF that is estimated from the image, too, starting from the given one. For a PSF that "
      "is known to be too wide; the job yields the PSF that was used.");
  method.set_citation(
      "D. A. Fish et al., J. Opt. Soc. Am. A 12 (1995) 58; G. R. Ayers and J. C. Dainty, Opt. Lett. 13 (1988) 547");
  method.set_noise_model("Poisson");
  AddIterations(method, 30, "Number of iterations with the estimated PSF");
  AddInteger(method, kRounds, 1, 1000, 30, "Rounds of the estimation of the PSF");
  AddInteger(method, kImageSteps, 0, 100, 0, "Steps in the image in each round; 0: 5, and with `zernike` 10");
  AddInteger(method, kPsfSteps, 1, 100, 1, "Steps in the PSF in each round");
  AddChoice(method, "symmetry", "both", "Where the PSF is its own mirror image about its centre",
            {{"none", "Nowhere"}, {"axial", "Along z"}, {"lateral", "Along y and x"}, {"both", "Along z, y and x"}});
  AddChoice(method, kZernike, "none",
            "Seek the PSF among those of the given optics: the last Zernike mode (Noll), from 5 on, of its pupil",
            {{"none", "The PSF is free"},
             {"11", "Astigmatism, coma, trefoil and spherical aberration", 14},
             {"15", "And secondary astigmatism and quadrafoil", 22},
             {"22", "And those of fifth order, and secondary spherical aberration", 36}});
  AddReal(method, "support", 0, 0.5, 0, "Share of the given PSF's peak up to which the estimate is 0");
  AddCurve(method);
  method.add_boundaries(v1::EXTEND);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(20.3);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.set_estimates_psf(true);
  method.add_backends("cpu");
  return method;
}

// Of `zernike`; 0: none.
int64_t LastMode(const Parameters& parameters) {
  const std::string& text = parameters.Choice(kZernike);
  int64_t last = 0;
  std::from_chars(text.data(), text.data() + text.size(), last);
  return last;
}

int64_t ImageSteps(const Parameters& parameters) {
  const int64_t given = parameters.Integer(kImageSteps);
  if (given > 0) return given;
  return LastMode(parameters) > 0 ? kPupilImageSteps : kFreeImageSteps;
}

PsfSymmetry SymmetryOf(const std::string& name) {
  return {.axial = name == "axial" || name == "both", .lateral = name == "lateral" || name == "both"};
}

}  // namespace

BlindRl::BlindRl() : DescribedMethod(Describe()) {}

// What makes a free PSF likelier has no say in a pupil's.
absl::StatusOr<std::vector<Advice>> BlindRl::Review(const Parameters& parameters, const PsfFacts&) const {
  const bool free = LastMode(parameters) == 0;
  if (free || (parameters.Real("support") == 0 && parameters.Choice("symmetry") == "both")) {
    return std::vector<Advice>{};
  }
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.parameters[\"zernike\"]",
                    .remedy = "Leave `support` and `symmetry` out, or `zernike`."},
                   "with `zernike` the PSF is that of the optics with some aberrations, whose support and symmetry "
                   "cannot be chosen");
}

absl::StatusOr<EstimatedPsf> BlindRl::EstimatePsf(const Problem& problem, PreparedPsf guess,
                                                  const Parameters& parameters, Monitor& monitor) const {
  RETURN_IF_ERROR(Review(parameters, problem.psf).status());
  const std::vector<int> modes = FittedModes(LastMode(parameters));
  if (!modes.empty() && problem.optics == nullptr) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "deconvolve.optics",
                      .remedy = "Give the optics (NA, wavelength, refractive indices), or leave `zernike` out."},
                     "a PSF is to be found among those of the optics, but these are not known");
  }
  return EstimatePsfOf(problem, std::move(guess),
                       {.rounds = parameters.Integer(kRounds),
                        .image_steps = ImageSteps(parameters),
                        .psf_steps = parameters.Integer(kPsfSteps),
                        .symmetry = SymmetryOf(parameters.Choice("symmetry")),
                        .support = parameters.Real("support"),
                        .pupil_modes = modes},
                       monitor);
}

absl::StatusOr<std::unique_ptr<Array>> BlindRl::Run(const Problem& problem, const Parameters& parameters,
                                                    Monitor& monitor) const {
  const int64_t iterations = parameters.Integer(kIterations);
  ASSIGN_OR_RETURN(const Curve curve, Curve::Of(problem, parameters, monitor));
  RlIteration run(problem, Acceleration("heavy-ball"), iterations, curve, monitor);
  ASSIGN_OR_RETURN(auto x, problem.ops->Allocate({{}, problem.ops->domain()}));
  RETURN_IF_ERROR(problem.ops->Fill(*x, problem.mean));
  RETURN_IF_ERROR(run.Start(std::move(x)));
  ASSIGN_OR_RETURN(const BackProjection matched, MakeMatched(problem));
  RETURN_IF_ERROR(run.RunTo(iterations, matched, /*accelerated=*/true));
  return run.TakeEstimate();
}

}  // namespace deconvoy::worker
