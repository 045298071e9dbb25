#include "proto/contract/psf_grid.h"

#include <algorithm>
#include <cmath>

namespace deconvoy {
namespace {

double StepOf(double image_um, double psf_um) {
  if (!(image_um > 0 && psf_um > 0)) return 1;
  const double difference = std::max(image_um, psf_um) / std::min(image_um, psf_um) - 1;
  return difference <= kSameVoxelSize + 1e-9 ? 1 : image_um / psf_um;
}

bool Usable(double step) {
  return step >= kLeastPsfStep && step <= kMostPsfStep;
}

// floor(n / step), also where rounding leaves it just below a whole number.
int64_t Steps(int64_t n, double step) {
  return static_cast<int64_t>(std::floor(static_cast<double>(n) / step + 1e-9));
}

}  // namespace

bool PsfSteps::usable() const {
  return Usable(z) && Usable(y) && Usable(x);
}

PsfSteps StepsOf(const v1::VoxelSize& image, const v1::VoxelSize& psf) {
  return {StepOf(image.z_um(), psf.z_um()), StepOf(image.y_um(), psf.y_um()), StepOf(image.x_um(), psf.x_um())};
}

PsfSteps StepsOf(const v1::PsfReport& report) {
  const auto or_one = [](double step) { return step > 0 ? step : 1; };
  return {or_one(report.step_z()), or_one(report.step_y()), or_one(report.step_x())};
}

Voxel ToldOrigin(const Voxel& origin, const PsfSteps& steps) {
  return {Steps(origin.z, steps.z), Steps(origin.y, steps.y), Steps(origin.x, steps.x)};
}

int64_t ToldExtent(int64_t extent, int64_t origin, double step) {
  return Steps(origin, step) + 1 + Steps(extent - 1 - origin, step);
}

Shape3 MostTold(const Shape3& psf, const PsfSteps& steps) {
  return {ToldExtent(psf.z, 0, steps.z), ToldExtent(psf.y, 0, steps.y), ToldExtent(psf.x, 0, steps.x)};
}

Shape3 PsfRoom(const Shape3& psf, const PsfSteps& steps) {
  const Shape3 told = MostTold(psf, steps);
  return {std::max(psf.z, told.z), std::max(psf.y, told.y), std::max(psf.x, told.x)};
}

}  // namespace deconvoy
