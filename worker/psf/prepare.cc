#include "worker/psf/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/psf/centre.h"
#include "worker/psf/check.h"
#include "worker/psf/crop.h"

namespace deconvoy::worker {
namespace {

absl::Status BadPsf(uint32_t c, std::string_view what) {
  return MakeError({.reason = v1::BAD_PSF,
                    .field = "deconvolve.psf_volume",
                    .remedy = "Give a PSF of finite values with a positive sum.",
                    .metadata = {{"channel", std::to_string(c)}}},
                   fmt::format("the PSF of channel {} {}", c, what));
}

struct Sums {
  double positive = 0;
  double negative = 0;  // as a positive number
};

absl::StatusOr<Sums> Check(std::span<const float> values, const Shape3& shape, uint32_t c) {
  Sums sums;
  int64_t not_finite = 0;
  size_t first = 0;
  bool all_zero = true;
  for (size_t i = 0; i < values.size(); ++i) {
    const float v = values[i];
    if (!std::isfinite(v)) {
      if (not_finite++ == 0) first = i;
      continue;
    }
    all_zero = all_zero && v == 0;
    (v > 0 ? sums.positive : sums.negative) += std::abs(static_cast<double>(v));
  }
  if (not_finite > 0) {
    const auto i = static_cast<int64_t>(first);
    return BadPsf(c, fmt::format("has NaN or infinite voxels: {}, the first at z={} y={} x={}", not_finite,
                                 i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x));
  }
  if (all_zero) return BadPsf(c, "is zero everywhere");
  if (sums.positive <= sums.negative) {
    return BadPsf(c, fmt::format("has the sum {:g}, which is not positive", sums.positive - sums.negative));
  }
  return sums;
}

v1::Finding MakeFinding(v1::Severity severity, std::string message) {
  v1::Finding finding;
  finding.set_severity(severity);
  finding.set_message(std::move(message));
  return finding;
}

v1::Finding NegativeFinding(uint32_t c, const Sums& sums) {
  v1::Finding finding = MakeFinding(
      v1::WARNING, fmt::format("PSF of channel {}: negative values, {:.3g} % of its positive sum, count as zero", c,
                               100 * sums.negative / sums.positive));
  finding.mutable_info()->set_field("deconvolve.psf_volume");
  finding.mutable_info()->set_remedy("Subtract less background from the measured PSF.");
  return finding;
}

std::string Text(const v1::Voxel3& v) {
  return fmt::format("{},{},{}", v.z(), v.y(), v.x());
}
std::string Text(const Shape3& s) {
  return fmt::format("{}x{}x{}", s.z, s.y, s.x);
}

// The extent in um; empty where the voxel size is not known.
std::string SizeText(const Shape3& shape, const v1::VoxelSize& voxel) {
  if (!(voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0)) return {};
  const auto um = [](int64_t voxels, double size) { return static_cast<double>(voxels) * size; };
  return fmt::format(" of {:.3g} x {:.3g} x {:.3g} um", um(shape.z, voxel.z_um()), um(shape.y, voxel.y_um()),
                     um(shape.x, voxel.x_um()));
}

std::string ShiftText(const v1::Voxel3& shift) {
  if (shift.z() == 0 && shift.y() == 0 && shift.x() == 0) return "in the middle of the file";
  return fmt::format("{} voxels from the middle of the file", Text(shift));
}

v1::Finding Summary(const v1::PsfReport& report, const Shape3& shape, const PsfOptions& options) {
  const Shape3 used = PsfBoxToRead(report, shape).shape;  // without the zeros that stand in
  return MakeFinding(
      v1::INFO,
      fmt::format("PSF of channel {}: {} of its {} voxels (z,y,x) are used: a box{} around the centre with {:.4g} % of "
                  "the light; the centre is voxel {} by the rule `{}`, {}",
                  report.c(), Text(used), Text(shape), SizeText(used, options.voxel), 100 * report.energy(),
                  Text(report.centre()), CentreName(report.rule()), ShiftText(report.shift())));
}

// Whether at least half of the PSF along some axis lies where no image of this extent can use it.
bool MuchIsCut(const Shape3& psf, const Shape3& image) {
  const auto much = [](int64_t p, int64_t m) { return p >= 2 * (2 * m - 1) && p > 1; };
  return much(psf.z, image.z) || much(psf.y, image.y) || much(psf.x, image.x);
}

// `share`: of the PSF's light, what the image's limit leaves.
v1::Finding LimitFinding(uint32_t c, const Shape3& shape, const PsfOptions& options, double share) {
  const Shape3& m = options.image;
  const Shape3 most{2 * m.z - 1, 2 * m.y - 1, 2 * m.x - 1};
  const bool warns = share < options.energy || MuchIsCut(shape, m);
  v1::Finding finding = MakeFinding(
      warns ? v1::WARNING : v1::INFO,
      fmt::format("PSF of channel {}: its {} voxels (z,y,x) reach farther from its centre than the image of {} voxels "
                  "does; at most {} voxels are used, which hold {:.4g} % of its light (asked for: {:.4g} %)",
                  c, Text(shape), Text(m), Text(most), 100 * share, 100 * options.energy));
  if (!warns) return finding;
  finding.mutable_info()->set_field("deconvolve.psf_volume");
  finding.mutable_info()->set_remedy(
      "Check that this PSF belongs to this image; keep more planes, rows or columns of the image around the object, or "
      "cut the PSF to its bright part.");
  return finding;
}

void SetBox(const Box3& box, v1::PsfReport& report) {
  *report.mutable_crop_origin() = ToProto(box.origin);
  *report.mutable_crop_shape() = ToProto(box.shape);
}

double PositiveSum(std::span<const float> values) {
  double sum = 0;
  for (float v : values) sum += std::max(static_cast<double>(v), 0.0);
  return sum;
}

void Normalise(double sum, std::span<float> values) {
  for (float& v : values) v = static_cast<float>(std::max(static_cast<double>(v), 0.0) / sum);
}

// Standard deviation of the light in `box` about the centre, along each axis.
void SetSpread(std::span<const float> values, const Shape3& shape, const Box3& box, const Voxel& centre,
               v1::PsfReport& report) {
  const Voxel begin = box.origin, end = box.end();
  double sum = 0, zz = 0, yy = 0, xx = 0;
  for (int64_t z = begin.z; z < end.z; ++z) {
    for (int64_t y = begin.y; y < end.y; ++y) {
      const float* row = values.data() + (z * shape.y + y) * shape.x;
      double in_row = 0, along_row = 0;
      for (int64_t x = begin.x; x < end.x; ++x) {
        if (!(row[x] > 0)) continue;
        const auto d = static_cast<double>(x - centre.x);
        in_row += row[x];
        along_row += d * d * row[x];
      }
      const auto dz = static_cast<double>(z - centre.z), dy = static_cast<double>(y - centre.y);
      sum += in_row, xx += along_row, yy += dy * dy * in_row, zz += dz * dz * in_row;
    }
  }
  report.set_spread_z(std::sqrt(zz / sum));
  report.set_spread_y(std::sqrt(yy / sum));
  report.set_spread_x(std::sqrt(xx / sum));
}

}  // namespace

absl::StatusOr<PsfAnalysis> AnalysePsf(std::span<const float> values, const Shape3& shape, uint32_t c,
                                       const PsfOptions& options) {
  ASSIGN_OR_RETURN(const Sums sums, Check(values, shape, c));
  ASSIGN_OR_RETURN(const PsfOrigin origin, FindOrigin(values, shape, options.rule, options.given));
  PsfAnalysis analysis;
  v1::PsfReport& report = analysis.report;
  report.set_c(c);
  report.set_rule(origin.rule);
  *report.mutable_centre() = ToProto(origin.centre);
  *report.mutable_shift() = ToProto(origin.centre - Voxel{shape.z / 2, shape.y / 2, shape.x / 2});
  if (sums.negative > 0) analysis.findings.push_back(NegativeFinding(c, sums));
  for (const PsfDefect& defect : CheckPsf(values, shape)) analysis.findings.push_back(PsfFinding(c, defect));
  if (options.periodic) {
    SetBox({{}, shape}, report);
    report.set_sum(sums.positive);
    report.set_energy(1);
  } else {
    const PsfCrop crop = FindCrop(values, shape, origin.centre, {options.energy, options.image});
    if (!(crop.sum > 0)) return BadPsf(c, "is zero in the part around its centre that the image can use");
    const Voxel& h = crop.half;
    SetBox({origin.centre - h, {2 * h.z + 1, 2 * h.y + 1, 2 * h.x + 1}}, report);
    report.set_sum(crop.sum);
    report.set_energy(crop.sum / sums.positive);
    if (crop.limited) {
      analysis.findings.push_back(LimitFinding(c, shape, options, crop.limited_sum / sums.positive));
    }
  }
  SetSpread(values, shape, PsfBoxToRead(report, shape), origin.centre, report);
  analysis.findings.push_back(Summary(report, shape, options));
  return analysis;
}

Box3 PsfBoxToRead(const v1::PsfReport& report, const Shape3& shape) {
  return Intersect({ToVoxel(report.crop_origin()), ToShape3(report.crop_shape())}, {{}, shape});
}

absl::StatusOr<PreparedPsf> PreparePsf(std::span<const float> read, const Shape3& shape, const v1::PsfReport& report) {
  const Box3 box{ToVoxel(report.crop_origin()), ToShape3(report.crop_shape())};
  const Box3 inside = PsfBoxToRead(report, shape);
  const double sum = PositiveSum(read);
  if (!(std::abs(sum - report.sum()) <= 1e-6 * report.sum())) {
    return BadPsf(report.c(), fmt::format("has the sum {:g} where its analysis found {:g}", sum, report.sum()));
  }
  PreparedPsf psf{std::vector<float>(static_cast<size_t>(box.shape.voxels())), box.shape,
                  ToVoxel(report.centre()) - box.origin};
  CopyBox(std::as_bytes(read).data(), inside, std::as_writable_bytes(std::span(psf.values)).data(), box, sizeof(float));
  Normalise(sum, psf.values);
  return psf;
}

void KeepUsed(const Shape3& shape, const v1::PsfReport& report, std::vector<float>& values) {
  const Box3 box = PsfBoxToRead(report, shape);
  const Voxel begin = box.origin, end = box.end();
  float* kept = values.data();
  for (int64_t z = begin.z; z < end.z; ++z) {
    for (int64_t y = begin.y; y < end.y; ++y, kept += box.shape.x) {
      const float* row = values.data() + (z * shape.y + y) * shape.x + begin.x;
      std::memmove(kept, row, static_cast<size_t>(box.shape.x) * sizeof(float));
    }
  }
  values.resize(static_cast<size_t>(box.shape.voxels()));
  Normalise(PositiveSum(values), values);
}

const char* CentreName(v1::PsfCentre rule) {
  switch (rule) {
    case v1::GEOMETRIC:
      return "geometric";
    case v1::GEOMETRIC_LOW:
      return "geometric-low";
    case v1::PEAK:
      return "peak";
    case v1::CENTROID:
      return "centroid";
    case v1::GIVEN:
      return "given";
    default:
      return "auto";
  }
}

}  // namespace deconvoy::worker
