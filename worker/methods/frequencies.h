// Fields over the half spectrum of a domain, in the order of `Ops::ReadMagnitude`.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "worker/ops/backend.h"

namespace deconvoy::worker {

// factor w^4, w^2 = wz^2 + wy^2 + wx^2, in radians per voxel: what the Laplacian's square does to each frequency.
std::vector<float> FourthPowers(const Shape3& domain, double factor);

// The shell of each frequency: i where w shells / pi lies in [i, i + 1), the last one above. REQUIRES: shells <= 256.
std::vector<uint8_t> ShellsOf(const Shape3& domain, int shells);

// Adds the eigenvalues of K*K on a domain (worker/ops/backend.h).
void AddEigenvalues(const Shape3& domain, Slopes slopes, const std::array<float, 3>& factors,
                    std::vector<float>& values);

// |h^| of an OTF.
absl::StatusOr<std::vector<float>> MagnitudeOf(Ops& ops, const Otf& otf);

}  // namespace deconvoy::worker
