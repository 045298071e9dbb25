// Stacks from files, and the beads in them.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/psf/distill/average.h"
#include "worker/psf/distill/beads.h"

namespace deconvoy::reference {

// A channel of a file's first time point, in z,y,x order.
absl::StatusOr<std::vector<float>> ReadChannel(const std::filesystem::path& path, int64_t c);

absl::StatusOr<Shape3> ExtentOf(const std::filesystem::path& path);

// The surroundings of the beads that serve.
std::vector<worker::BeadPatch> Patches(const std::vector<float>& stack, const Shape3& shape, const Shape3& box,
                                       const worker::FoundBeads& found);

}  // namespace deconvoy::reference
