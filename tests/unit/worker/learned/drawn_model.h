// Models with drawn weights, and images for them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/learned/container.h"
#include "worker/learned/network.h"

namespace deconvoy::worker::learned {

std::span<const std::byte> Bytes(const std::string& text);

// Of networks that know it: with most of its light in one voxel of 3 x 5 x 5, or as wide as that of a microscope, in
// 11 x 13 x 13: what lies a PSF's box away still tells.
enum class DrawnPsf { kPeaked, kWide };

// A model whose weights are drawn and a little smaller than usual, so that values stay of order 1.
Container Drawn(std::string_view name, Head head = Head::kPlain, DrawnPsf psf = DrawnPsf::kPeaked);

// Fails the test where the file is none.
std::unique_ptr<Model> Load(const Container& container);

// A specimen with noise, between 10 and about 110 photons.
std::vector<float> Image(const Shape3& shape);

}  // namespace deconvoy::worker::learned
