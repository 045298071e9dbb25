#include "worker/psf/estimate.h"

#include <cmath>
#include <cstddef>
#include <span>

#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {

std::vector<float> InVolume(const PreparedPsf& psf, const v1::PsfReport& given, const Shape3& shape) {
  const Box3 box{ToVoxel(given.crop_origin()), psf.shape};
  const Box3 inside = Intersect(box, {{}, shape});
  std::vector<float> volume(static_cast<size_t>(shape.voxels()));
  size_t from = 0;
  for (int64_t z = box.origin.z; z < box.end().z; ++z) {
    for (int64_t y = box.origin.y; y < box.end().y; ++y) {
      for (int64_t x = box.origin.x; x < box.end().x; ++x, ++from) {
        if (!inside.Contains({{z, y, x}, {1, 1, 1}})) continue;
        volume[static_cast<size_t>((z * shape.y + y) * shape.x + x)] = psf.values[from];
      }
    }
  }
  return volume;
}

v1::PsfReport ReportEstimate(const std::vector<float>& volume, const Shape3& shape, const v1::PsfReport& given,
                             uint32_t c) {
  const Voxel centre = ToVoxel(given.centre());
  double sum = 0, zz = 0, yy = 0, xx = 0;
  size_t i = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        const double value = volume[i++];
        const auto dz = static_cast<double>(z - centre.z), dy = static_cast<double>(y - centre.y),
                   dx = static_cast<double>(x - centre.x);
        sum += value;
        zz += dz * dz * value;
        yy += dy * dy * value;
        xx += dx * dx * value;
      }
    }
  }
  v1::PsfReport report = given;
  report.set_c(c);
  report.set_t(0);
  report.set_sum(sum);
  report.set_energy(1);
  report.set_spread_z(std::sqrt(zz / sum));
  report.set_spread_y(std::sqrt(yy / sum));
  report.set_spread_x(std::sqrt(xx / sum));
  return report;
}

}  // namespace deconvoy::worker
