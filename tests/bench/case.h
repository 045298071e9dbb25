// What is deconvolved in a measurement: a patterned volume, a PSF with tails, a boundary, and the parameters of `rl`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/geometry.h"
#include "worker/ops/backend.h"

namespace deconvoy::bench {

// As given on the command line; lists are Z,Y,X.
struct Case {
  std::vector<int64_t> shape = {64, 512, 512};  // measured
  std::vector<int64_t> psf = {61, 61, 61};
  std::string psf_kind = "asymmetric";
  std::vector<int64_t> padded;  // empty: as a job's would be
  std::string boundary = "extend";
  std::string acceleration = "heavy-ball";
  int threads = 2;
};

// Everything but the shape.
void AddCaseOptions(CLI::App& app, Case& options);
void AddShapeOption(CLI::App& app, Case& options);
CLI::Option* AddExtents(CLI::App& app, const std::string& name, std::vector<int64_t>& zyx, const std::string& meaning);

Shape3 ToShape(const std::vector<int64_t>& zyx);
v1::Boundary BoundaryOf(const Case& options);
Shape3 PaddedShape(const Case& options);
// The box of y: the volume with EXTEND, else the domain.
Shape3 MeasuredShape(const Case& options);

// PSF of sum 1 whose origin is the voxel n/2. Symmetric: a Gaussian with long tails. Asymmetric: sheared and with more
// light on one side, so that it is no mirror image of itself and its OTF is complex.
std::vector<float> MakePsf(const Shape3& shape, bool symmetric);

// The next photons of a patterned specimen; `state` goes on from stretch to stretch.
inline constexpr uint32_t kPatternSeed = 1;
void FillPattern(std::span<float> photons, uint32_t& state);
// Fills y with them plane by plane, so that no second copy of the volume inflates memory.
void UploadPattern(worker::Ops& ops, worker::Array& y);
inline constexpr float kPatternBackground = 5;  // photons, of which the pattern has at least 10 everywhere
inline constexpr float kPatternMean = 150;

}  // namespace deconvoy::bench
