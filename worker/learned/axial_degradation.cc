#include "worker/learned/axial_degradation.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <numeric>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

using Complex = std::complex<double>;

constexpr double kLeastPower = 1e-3;  // of l^

// Values over a lateral plane: `rows` along the degraded axis, `columns` along the other, both odd, the origin in the
// middle.
struct Plane {
  int64_t rows = 0, columns = 0;
  std::vector<Complex> values = std::vector<Complex>(static_cast<size_t>(rows * columns));

  Complex& At(int64_t row, int64_t column) { return values[static_cast<size_t>(row * columns + column)]; }
};

// Sums over `values` of exp(direction 2 pi i j k / n), j counted from the middle.
std::vector<Complex> Transformed(const std::vector<Complex>& values, int direction) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<Complex> turns, sums;
  for (int64_t i = 0; i < n; ++i) {
    turns.push_back(
        std::polar(1.0, direction * 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n)));
  }
  for (int64_t k = -(n / 2); k <= n / 2; ++k) {
    Complex sum = 0;
    for (int64_t j = 0; j < n; ++j) {
      const int64_t turn = ((j - n / 2) * k) % n;
      sum += values[static_cast<size_t>(j)] * turns[static_cast<size_t>(turn < 0 ? turn + n : turn)];
    }
    sums.push_back(sum);
  }
  return sums;
}

// Along both axes. The planes are small and few, and of extents that no table of factors suits.
void Transform(Plane& plane, int direction) {
  std::vector<Complex> line(static_cast<size_t>(plane.columns));
  for (int64_t row = 0; row < plane.rows; ++row) {
    for (int64_t column = 0; column < plane.columns; ++column)
      line[static_cast<size_t>(column)] = plane.At(row, column);
    const std::vector<Complex> sums = Transformed(line, direction);
    for (int64_t column = 0; column < plane.columns; ++column)
      plane.At(row, column) = sums[static_cast<size_t>(column)];
  }
  line.resize(static_cast<size_t>(plane.rows));
  for (int64_t column = 0; column < plane.columns; ++column) {
    for (int64_t row = 0; row < plane.rows; ++row) line[static_cast<size_t>(row)] = plane.At(row, column);
    const std::vector<Complex> sums = Transformed(line, direction);
    for (int64_t row = 0; row < plane.rows; ++row) plane.At(row, column) = sums[static_cast<size_t>(row)];
  }
}

// h at places relative to its origin: along z, the degraded axis and the other; 0 outside its box.
class Sections {
 public:
  Sections(const PreparedPsf& psf, LateralAxis degraded) : psf_(psf), along_y_(degraded == LateralAxis::kY) {}

  double At(int64_t z, int64_t along, int64_t across) const {
    const Voxel voxel = psf_.centre + (along_y_ ? Voxel{z, along, across} : Voxel{z, across, along});
    if (!Box3{{}, psf_.shape}.Contains({voxel, {1, 1, 1}})) return 0;
    return psf_.values[static_cast<size_t>((voxel.z * psf_.shape.y + voxel.y) * psf_.shape.x + voxel.x)];
  }
  double BetweenPlanes(double z, int64_t across) const {
    const double below = std::floor(z), share = z - below;
    const auto plane = static_cast<int64_t>(below);
    return (1 - share) * At(plane, 0, across) + share * At(plane + 1, 0, across);
  }
  int64_t ReachZ() const { return Reach(psf_.centre.z, psf_.shape.z); }
  int64_t ReachAlong() const { return along_y_ ? ReachY() : ReachX(); }
  int64_t ReachAcross() const { return along_y_ ? ReachX() : ReachY(); }

 private:
  static int64_t Reach(int64_t centre, int64_t extent) { return std::max(centre, extent - 1 - centre); }
  int64_t ReachY() const { return Reach(psf_.centre.y, psf_.shape.y); }
  int64_t ReachX() const { return Reach(psf_.centre.x, psf_.shape.x); }

  const PreparedPsf& psf_;
  const bool along_y_;
};

// To sum 1, and transformed.
absl::Status ToSpectrum(Plane& plane) {
  const double sum = std::accumulate(plane.values.begin(), plane.values.end(), Complex()).real();
  if (!(sum > 0)) {
    return MakeError({.reason = v1::BAD_PSF,
                      .field = "train_model.psf_volume",
                      .remedy = "Give a PSF with its light around its centre."},
                     "the PSF has no light on the planes through its centre");
  }
  for (Complex& value : plane.values) value /= sum;
  Transform(plane, -1);
  return absl::OkStatus();
}

}  // namespace

double PlaneStep(std::span<const double> voxel_um, LateralAxis degraded) {
  if (voxel_um.size() != 3) return 1;
  const double lateral = voxel_um[degraded == LateralAxis::kY ? 1 : 2];
  return voxel_um[0] > 0 && lateral > 0 ? voxel_um[0] / lateral : 1;
}

int64_t LinesOf(int64_t planes, double step) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(planes - 1) * step)) + 1;
}

absl::StatusOr<PreparedPsf> FurtherBlur(const PreparedPsf& psf, double step, LateralAxis degraded) {
  const Sections sections(psf, degraded);
  const int64_t along =
      std::max(sections.ReachAlong(), static_cast<int64_t>(std::ceil(static_cast<double>(sections.ReachZ()) * step)));
  const int64_t across = sections.ReachAcross();
  Plane axial{2 * along + 1, 2 * across + 1}, lateral{2 * along + 1, 2 * across + 1};
  for (int64_t row = -along; row <= along; ++row) {
    for (int64_t column = -across; column <= across; ++column) {
      axial.At(row + along, column + across) = sections.BetweenPlanes(static_cast<double>(row) / step, column);
      lateral.At(row + along, column + across) = sections.At(0, row, column);
    }
  }
  RETURN_IF_ERROR(ToSpectrum(axial));
  RETURN_IF_ERROR(ToSpectrum(lateral));
  Plane& blur = axial;
  for (size_t i = 0; i < blur.values.size(); ++i) {
    // At 0 both are 1.
    blur.values[i] *= std::conj(lateral.values[i]) * (1 + kLeastPower) / (std::norm(lateral.values[i]) + kLeastPower);
    blur.values[i] /= std::max(std::abs(blur.values[i]), 1.0);
  }
  Transform(blur, 1);
  const bool along_y = degraded == LateralAxis::kY;
  PreparedPsf kernel{std::vector<float>(blur.values.size()),
                     along_y ? Shape3{1, blur.rows, blur.columns} : Shape3{1, blur.columns, blur.rows},
                     along_y ? Voxel{0, along, across} : Voxel{0, across, along}};
  for (int64_t row = 0; row < blur.rows; ++row) {
    for (int64_t column = 0; column < blur.columns; ++column) {
      const int64_t voxel = along_y ? row * blur.columns + column : column * blur.rows + row;
      kernel.values[static_cast<size_t>(voxel)] =
          static_cast<float>(blur.At(row, column).real() / static_cast<double>(blur.values.size()));
    }
  }
  return kernel;
}

std::vector<float> Subsampled(std::span<const float> plane, const Shape3& shape, const SliceOfPlane& slice) {
  const bool along_y = slice.degraded == LateralAxis::kY;
  const int64_t line_stride = along_y ? shape.x : 1, stride = along_y ? 1 : shape.x;
  std::vector<float> values;
  values.reserve(static_cast<size_t>(slice.planes * slice.width));
  for (int64_t k = 0; k < slice.planes; ++k) {
    const double at = static_cast<double>(k) * slice.step, below = std::floor(at);
    const auto share = static_cast<float>(at - below);
    const int64_t line = slice.first.y * shape.x + slice.first.x + static_cast<int64_t>(below) * line_stride;
    for (int64_t i = 0; i < slice.width; ++i) {
      const auto voxel = static_cast<size_t>(line + i * stride);
      const float value = plane[voxel];
      values.push_back(share > 0 ? value + share * (plane[voxel + static_cast<size_t>(line_stride)] - value) : value);
    }
  }
  return values;
}

}  // namespace deconvoy::worker::learned
