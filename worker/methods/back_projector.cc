#include "worker/methods/back_projector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/describe.h"
#include "worker/methods/frequencies.h"
#include "worker/methods/otf_mask.h"

namespace deconvoy::worker {
namespace {

constexpr char kMatched[] = "matched";
constexpr char kWienerButterworth[] = "wiener-butterworth";
constexpr char kOtfMaskedWiener[] = "otf-masked-wiener";
constexpr double kWienerButterworthAlpha = 5e-2;
constexpr double kOtfMaskedWienerAlpha = 5e-3;
constexpr int64_t kOrder = 10;
constexpr int64_t kAutomaticSteps = -1;
constexpr double kLeastAtCutoff = 1e-6;
constexpr double kMissingCone = 0.1;

double Alpha(const Parameters& parameters) {
  const double given = parameters.Real("back_projector_alpha");
  if (given > 0) return given;
  return parameters.Choice("back_projector") == kOtfMaskedWiener ? kOtfMaskedWienerAlpha : kWienerButterworthAlpha;
}

absl::Status Invalid(std::string_view parameter, std::string remedy, std::string_view message) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = fmt::format("deconvolve.parameters[\"{}\"]", parameter),
                    .remedy = std::move(remedy)},
                   message);
}

absl::Status Unused(std::string_view parameter, const std::string& projector) {
  return Invalid(parameter, fmt::format("Leave out `{}`, or choose another `back_projector`.", parameter),
                 fmt::format("`{}` means nothing with `back_projector={}`", parameter, projector));
}

// A value other than the default that would change nothing is a misunderstanding.
absl::Status CheckUse(const Parameters& parameters) {
  const std::string& projector = parameters.Choice("back_projector");
  const bool matched = projector == kMatched, butterworth = projector == kWienerButterworth;
  if (matched && parameters.Real("back_projector_alpha") != 0) return Unused("back_projector_alpha", projector);
  if (matched && parameters.Integer("matched_steps") != kAutomaticSteps) return Unused("matched_steps", projector);
  if (!butterworth && parameters.Integer("butterworth_order") != kOrder) return Unused("butterworth_order", projector);
  if (!butterworth && parameters.Choice("epsilon") != "exact") return Unused("epsilon", projector);
  return absl::OkStatus();
}

absl::Status CheckSteps(const Parameters& parameters, int64_t iterations) {
  const int64_t steps = MatchedSteps(parameters, iterations);
  if (steps < iterations) return absl::OkStatus();
  return Invalid("matched_steps",
                 "Give more iterations, or fewer matched steps; without any (0) the result's brightness is off.",
                 fmt::format("the last {} of {} iterations would be matched steps, which leaves none to "
                             "`back_projector={}`",
                             steps, iterations, parameters.Choice("back_projector")));
}

// Frequencies along an axis of n voxels over the cutoff, squared, by index.
std::vector<double> SquaredFrequencies(int64_t n, int64_t count, const PsfAxis& axis) {
  std::vector<double> squares(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double cycles = static_cast<double>(i <= n / 2 ? i : i - n) / static_cast<double>(n);
    const double ratio = cycles / axis.cutoff();
    squares[static_cast<size_t>(i)] = ratio * ratio;
  }
  return squares;
}

absl::StatusOr<std::vector<float>> MaskGain(const Problem& problem) {
  ASSIGN_OR_RETURN(const std::vector<float> magnitude, MagnitudeOf(*problem.ops, *problem.otf));
  return OtfMaskWindow(problem.ops->domain(), magnitude);
}

}  // namespace

void AddBackProjector(v1::Method& method) {
  AddChoice(
      method, "back_projector", kMatched, "What takes residuals back; others than `matched` need fewer iterations",
      {{kMatched, "The adjoint of the blur: for every microscope, and the one with which the likelihood rises", 0},
       {kWienerButterworth, "For light sheet and confocal: inverts the blur up to the resolution limit", 10},
       {kOtfMaskedWiener, "For lattice light sheet: inverts the blur where the OTF is not negligible", 10}});
  AddReal(method, "back_projector_alpha", 0, 1, 0,
          "Wiener constant; 0: 0.05 with wiener-butterworth, 0.005 with otf-masked-wiener");
  AddInteger(method, "butterworth_order", 1, 50, kOrder, "Steepness of wiener-butterworth at the resolution limit");
  AddChoice(method, "epsilon", "exact", "How strong wiener-butterworth is at the resolution limit",
            {{"exact", "As strong as the adjoint", 0}, {"published", "As in the program of its authors", 0}});
  AddInteger(method, "matched_steps", kAutomaticSteps, 100, kAutomaticSteps,
             "Last iterations with the adjoint, which set the brightness right; -1: one, where another back projector "
             "is chosen");
}

bool IsUnmatched(const Parameters& parameters) {
  return parameters.Choice("back_projector") != kMatched;
}

int64_t MatchedSteps(const Parameters& parameters, int64_t iterations) {
  if (!IsUnmatched(parameters)) return iterations;
  const int64_t given = parameters.Integer("matched_steps");
  return given == kAutomaticSteps ? 1 : given;
}

absl::StatusOr<std::vector<Advice>> ReviewBackProjector(const Parameters& parameters, int64_t iterations,
                                                        const PsfFacts& psf) {
  RETURN_IF_ERROR(CheckUse(parameters));
  if (!IsUnmatched(parameters)) return std::vector<Advice>{};
  RETURN_IF_ERROR(CheckSteps(parameters, iterations));
  if (parameters.Choice("back_projector") == kWienerButterworth) {
    RETURN_IF_ERROR(ButterworthEpsilon(psf, Alpha(parameters), parameters.Choice("epsilon") == "published").status());
  }
  std::vector<Advice> advice;
  if (psf.axes[0].at_half_cutoff < kMissingCone) {
    advice.push_back(
        {.message = fmt::format("the OTF has a missing cone, as in a wide-field microscope: along kz it has "
                                "fallen to {:.2g} at half the cutoff, where a light sheet has 0.4; "
                                "`back_projector={}` is not made for this",
                                psf.axes[0].at_half_cutoff, parameters.Choice("back_projector")),
         .field = "deconvolve.parameters[\"back_projector\"]",
         .remedy = "Use `back_projector=matched` with `acceleration=heavy-ball`."});
  }
  return advice;
}

absl::StatusOr<double> ButterworthEpsilon(const PsfFacts& psf, double alpha, bool published) {
  double sum = 0;
  int axes = 0;
  for (const PsfAxis& axis : psf.axes) {
    if (!axis.resolved()) continue;
    sum += axis.at_cutoff;
    ++axes;
  }
  if (axes == 0) return 0;
  const double b = std::max(sum / axes, kLeastAtCutoff), wiener = b / (b * b + alpha);
  const double epsilon = published ? wiener / (b * b) - 1 : (wiener / b) * (wiener / b) - 1;
  if (epsilon >= 0) return epsilon;
  return Invalid("back_projector_alpha", "Give a smaller `back_projector_alpha`.",
                 fmt::format("with a Wiener constant of {:g} and an OTF of {:.3g} at the resolution limit "
                             "`wiener-butterworth` would have to grow there (epsilon {:.3g} < 0)",
                             alpha, b, epsilon));
}

std::vector<float> ButterworthGain(const Shape3& domain, const PsfFacts& psf, double epsilon, int64_t order) {
  const int64_t row = domain.x / 2 + 1;
  const std::vector<double> z = SquaredFrequencies(domain.z, domain.z, psf.axes[0]);
  const std::vector<double> y = SquaredFrequencies(domain.y, domain.y, psf.axes[1]);
  const std::vector<double> x = SquaredFrequencies(domain.x, row, psf.axes[2]);
  std::vector<float> gain;
  gain.reserve(z.size() * y.size() * x.size());
  for (const double wz : z) {
    for (const double wy : y) {
      for (const double wx : x) {
        const double w = wz + wy + wx;
        double power = 1;
        for (int64_t i = 0; i < order; ++i) power *= w;
        gain.push_back(static_cast<float>(1 / std::sqrt(1 + epsilon * power)));
      }
    }
  }
  return gain;
}

absl::StatusOr<std::unique_ptr<Otf>> MakeBackProjector(const Problem& problem, const Parameters& parameters) {
  const double alpha = Alpha(parameters);
  std::vector<float> gain;
  if (parameters.Choice("back_projector") == kWienerButterworth) {
    ASSIGN_OR_RETURN(const double epsilon,
                     ButterworthEpsilon(problem.psf, alpha, parameters.Choice("epsilon") == "published"));
    if (epsilon > 0) {
      gain = ButterworthGain(problem.ops->domain(), problem.psf, epsilon, parameters.Integer("butterworth_order"));
    }
  } else {
    ASSIGN_OR_RETURN(gain, MaskGain(problem));
  }
  return problem.ops->FilterOtf(*problem.otf, {.gain = gain, .alpha = static_cast<float>(alpha)});
}

}  // namespace deconvoy::worker
