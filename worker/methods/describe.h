// Shorthand for the descriptions of methods.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::worker {

struct Choice {
  std::string_view name;
  std::string_view meaning;                 // one line
  double extra_bytes_per_padded_voxel = 0;  // beside the method's own
};

// The parameter `iterations`, 1 to 10000 or `auto`: the method's iterations must be the same whatever their number, so
// that the estimate after k of them is its result with k.
void AddIterations(v1::Method& method, int64_t default_value, std::string_view meaning);
// The parameter added last may be `auto`.
void MakeAutomatic(v1::Method& method);
void AddInteger(v1::Method& method, std::string_view name, int64_t minimum, int64_t maximum, int64_t default_value,
                std::string_view meaning);
// `axial_upsample`: planes of the result for each of the image (proto/contract/deconvolution.h). The tile's y and m
// carry it out; the method needs to honour m.
void AddAxialUpsample(v1::Method& method);
// `unit`: 1 for a pure number.
void AddReal(v1::Method& method, std::string_view name, double minimum, double maximum, double default_value,
             std::string_view meaning, std::string_view unit = "1");
void AddBoolean(v1::Method& method, std::string_view name, bool default_value, std::string_view meaning);
void AddChoice(v1::Method& method, std::string_view name, std::string_view default_value, std::string_view meaning,
               const std::vector<Choice>& choices);

}  // namespace deconvoy::worker
