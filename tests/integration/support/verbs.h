// What many tests do with the program: make a specimen, deconvolve it, look at the result.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/support/image.h"

namespace deconvoy::testing {

// A noisy synthetic specimen and its Gaussian PSF, written to `folder` (made where missing) as raw, psf and truth
// `.ome.tif`. `light` says how bright and how blurred it is. Fails the test where that does not work.
void Simulate(const std::filesystem::path& folder, const std::string& shape, int seed,
              const std::vector<std::string>& light = {"--photons", "200", "--psf-fwhm-um", "0.6,0.25,0.25",
                                                       "--background", "5"});

// The result of `deconvoy run --local` with `options`, written to `output`; empty, and the test failed, where that does
// not work.
Image Deconvolve(const std::filesystem::path& raw, const std::filesystem::path& psf,
                 const std::filesystem::path& output, const std::vector<std::string>& options);

// `options` and `more`.
std::vector<std::string> With(std::vector<std::string> options, const std::vector<std::string>& more);

}  // namespace deconvoy::testing
