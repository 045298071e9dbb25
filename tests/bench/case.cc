#include "tests/bench/case.h"

#include <algorithm>
#include <cmath>

#include "proto/contract/tile_plan.h"
#include "tests/bench/measure.h"

namespace deconvoy::bench {

CLI::Option* AddExtents(CLI::App& app, const std::string& name, std::vector<int64_t>& zyx, const std::string& meaning) {
  return app.add_option(name, zyx, meaning + ", Z,Y,X")->delimiter(',')->expected(3)->check(CLI::Range(1, 1 << 20));
}

void AddShapeOption(CLI::App& app, Case& options) {
  AddExtents(app, "--shape", options.shape, "measured volume")->capture_default_str();
  AddExtents(app, "--padded", options.padded, "padded domain; planned as for a job when left out");
}

void AddCaseOptions(CLI::App& app, Case& options) {
  AddExtents(app, "--psf", options.psf, "PSF")->capture_default_str();
  app.add_option("--psf-kind", options.psf_kind)
      ->check(CLI::IsMember({"symmetric", "asymmetric"}))
      ->capture_default_str();
  app.add_option("--boundary", options.boundary)
      ->check(CLI::IsMember({"extend", "mirror", "periodic"}))
      ->capture_default_str();
  app.add_option("--acceleration", options.acceleration, "parameter of rl")->capture_default_str();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024))->capture_default_str();
}

Shape3 ToShape(const std::vector<int64_t>& zyx) {
  return {zyx[0], zyx[1], zyx[2]};
}

v1::Boundary BoundaryOf(const Case& options) {
  if (options.boundary == "extend") return v1::EXTEND;
  return options.boundary == "mirror" ? v1::MIRROR : v1::PERIODIC;
}

Shape3 PaddedShape(const Case& options) {
  if (!options.padded.empty()) return ToShape(options.padded);
  return deconvoy::PaddedShape(ToShape(options.shape), ToShape(options.psf), BoundaryOf(options));
}

Shape3 MeasuredShape(const Case& options) {
  return BoundaryOf(options) == v1::EXTEND ? ToShape(options.shape) : PaddedShape(options);
}

namespace {

// Position of voxel `i` of `n` from the origin, in standard deviations.
double Place(int64_t i, int64_t n) {
  return (static_cast<double>(i) - static_cast<double>(n / 2)) / std::max(1.0, static_cast<double>(n) / 8);
}

double Light(double z, double y, double x, bool symmetric) {
  if (!symmetric) x -= 0.5 * z;
  const double r = z * z + y * y + x * x;
  const double light = std::exp(-r / 2) + 1e-4 / (1 + r);
  return symmetric ? light : light * (1 + 0.5 * std::tanh(z + y + x));
}

}  // namespace

std::vector<float> MakePsf(const Shape3& shape, bool symmetric) {
  std::vector<float> psf;
  psf.reserve(static_cast<size_t>(shape.voxels()));
  double sum = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        const double light = Light(Place(z, shape.z), Place(y, shape.y), Place(x, shape.x), symmetric);
        psf.push_back(static_cast<float>(light));
        sum += light;
      }
    }
  }
  for (float& value : psf) value = static_cast<float>(value / sum);
  return psf;
}

void FillPattern(std::span<float> photons, uint32_t& state) {
  for (float& value : photons) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 24U) + ((state >> 16U) % 97U == 0 ? 2000.0F : 10.0F);
  }
}

void UploadPattern(worker::Ops& ops, worker::Array& y) {
  const Box3& box = y.box();
  std::vector<float> plane(static_cast<size_t>(box.shape.y * box.shape.x));
  uint32_t state = kPatternSeed;
  for (int64_t z = 0; z < box.shape.z; ++z) {
    FillPattern(plane, state);
    Check(ops.Upload(plane, {{box.origin.z + z, box.origin.y, box.origin.x}, {1, box.shape.y, box.shape.x}}, y));
  }
}

}  // namespace deconvoy::bench
