// Back projectors B that stand in for the adjoint H* of the PSF, so that fewer iterations are needed.
//
//   matched             B = H*
//   wiener-butterworth  B^ = s conj h^ / (|h^|^2 + a) . 1/sqrt(1 + e w^n),   w = sum over the axes of (k / kc)^2
//   otf-masked-wiener   B^ = s conj h^ / (|h^|^2 + a) . window of the OTF's mask (worker/methods/otf_mask.h)
//
// h PSF of sum 1, ^ Fourier transform, k frequency along an axis and kc = 1/FWHM of the PSF along it (cycles per
// voxel), a `back_projector_alpha`, n `butterworth_order`, s such that B^ is 1 at zero frequency: a constant stays
// constant.
//
// e makes B as strong as H* at the cutoff: with b the mean of |h^| at kc over the axes on which frequencies reach it,
// and b_w = b / (b^2 + a) the Wiener factor there,
//   exact      e = (b_w / b)^2 - 1
//   published  e = b_w / b^2 - 1, as in the program of the paper
// e < 0, for an a close to 1, is refused. b counts as at least 1e-6. Where no axis resolves the cutoff there is nothing
// to cut off, and e = 0.
//
// M. Guo et al., Nature Biotechnology 38 (2020) 1337; X. Ruan et al., Nature Methods 21 (2024) 2342.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Adds the parameters `back_projector`, `back_projector_alpha`, `butterworth_order`, `epsilon` and `matched_steps`.
void AddBackProjector(v1::Method& method);

// Whether a back projector other than `matched` is asked for.
bool IsUnmatched(const Parameters& parameters);

// How many of the last iterations use H*: all are matched steps with `matched`.
int64_t MatchedSteps(const Parameters& parameters, int64_t iterations);

// Errors: INVALID_FIELD for a parameter that the chosen projector does not use, for `matched_steps` that leave no
// iteration to B, and for e < 0 with this PSF. Advice: a PSF with a missing cone, whose OTF along kz has fallen below
// 0.1 at half the cutoff (0.41 for a Gaussian).
absl::StatusOr<std::vector<Advice>> ReviewBackProjector(const Parameters& parameters, int64_t iterations,
                                                        const PsfFacts& psf);

// e of wiener-butterworth. Errors: INVALID_FIELD when it is below 0.
absl::StatusOr<double> ButterworthEpsilon(const PsfFacts& psf, double alpha, bool published);

// 1/sqrt(1 + e w^n) over the half spectrum, in the order of Ops::ReadMagnitude. REQUIRES: epsilon > 0.
std::vector<float> ButterworthGain(const Shape3& domain, const PsfFacts& psf, double epsilon, int64_t order);

// The OTF whose adjoint is B. REQUIRES: IsUnmatched. Errors: those of ReviewBackProjector and Ops.
absl::StatusOr<std::unique_ptr<Otf>> MakeBackProjector(const Problem& problem, const Parameters& parameters);

}  // namespace deconvoy::worker
