// What a model that is a program takes and gives: the part of a resource description of bioimage.io (versions 0.4 and
// 0.5, YAML or JSON) that boxes of one frame can be restored by. What is understood is told in docs/formats/models.md;
// anything else that would change a result is refused, and never passed over.
//
// The parser takes texts of any origin. Their length, depth and number of entries are bounded; anchors and aliases,
// tags, keys that are there twice and second documents are refused.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proto/contract/geometry.h"
#include "proto/contract/model_spec.h"
#include "worker/learned/network.h"

namespace deconvoy::worker::learned {

// Of one value v: gain v + offset, or v no less than `least` and no more than `most`.
struct Pointwise {
  bool clips = false;
  double gain = 1, offset = 0;
  double least = 0, most = 0;  // where it clips, least <= most

  friend bool operator==(const Pointwise&, const Pointwise&) = default;
};
void ApplySteps(const std::vector<Pointwise>& steps, std::vector<float>& values);

struct Descriptor {
  // Of the tensors: z, y and x once each in any order, and at most one b (batch) and c (channel), both of extent 1.
  std::string input_axes = "bczyx", output_axes = "bczyx";
  // Extents of what it takes are least + k step along each axis, k from 0.
  Shape3 least{1, 1, 1}, step{1, 1, 1};
  Shape3 halo{};                                   // voxels on each side of its results that do not count
  Percentiles percentiles = {};                    // of the frame, that become 0 and 1
  std::vector<Pointwise> before = {}, after = {};  // after that, and on what it gives
  std::string file_sha256 = {};                    // of its file, in hexadecimal; empty where it is not told

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

inline constexpr int64_t kMostLeast = 128, kMostStep = 64, kMostCommonStep = 256, kMostHalo = 512;
inline constexpr size_t kMostPointwise = 16;

// Errors: INVALID_FIELD with the place and what is not understood, LIMIT_EXCEEDED.
absl::StatusOr<Descriptor> ParseDescriptor(std::string_view text);

// As JSON that ParseDescriptor reads as the same, but for `file_sha256`, which is left out.
std::string WriteDescriptor(const Descriptor& descriptor);

// The least multiple of the steps along all axes.
int64_t CommonStep(const Descriptor& descriptor);

// The least extents that hold `box`, and that the model takes.
Shape3 TakenExtents(const Descriptor& descriptor, const Shape3& box);

}  // namespace deconvoy::worker::learned
