#include "worker/psf/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/psf/centre.h"
#include "worker/psf/check.h"
#include "worker/psf/crop.h"
#include "worker/psf/facts.h"
#include "worker/psf/resample.h"

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

std::string WidthText(const v1::PsfReport& report, const v1::VoxelSize& voxel) {
  std::string text = fmt::format("{:.2f} x {:.2f} x {:.2f} voxels", report.fwhm_z(), report.fwhm_y(), report.fwhm_x());
  if (voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0) {
    text += fmt::format(" ({:.3f} x {:.3f} x {:.3f} um)", report.fwhm_z() * voxel.z_um(),
                        report.fwhm_y() * voxel.y_um(), report.fwhm_x() * voxel.x_um());
  }
  return text;
}

std::string ShiftText(const v1::Voxel3& shift) {
  if (shift.z() == 0 && shift.y() == 0 && shift.x() == 0) return "in the middle of the file";
  return fmt::format("{} voxels from the middle of the file", Text(shift));
}

v1::Finding Summary(const v1::PsfReport& report, const Shape3& shape, const PsfOptions& options) {
  const Shape3 used = UsedPsfBox(report, shape).shape;  // without the zeros that stand in
  return MakeFinding(
      v1::INFO,
      fmt::format("PSF of channel {}: {} of its {} voxels (z,y,x) are used: a box{} around the centre with {:.4g} % of "
                  "the light; the centre is voxel {} by the rule `{}`, {}; full width at half maximum {}",
                  report.c(), Text(used), Text(shape), SizeText(used, options.voxel), 100 * report.energy(),
                  Text(report.centre()), CentreName(report.rule()), ShiftText(report.shift()),
                  WidthText(report, options.voxel)));
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

std::string VoxelText(const v1::VoxelSize& voxel) {
  return fmt::format("{:.4g} x {:.4g} x {:.4g} um", voxel.z_um(), voxel.y_um(), voxel.x_um());
}

// The image's voxels; where one is not known it counts as the PSF's.
v1::VoxelSize ToldVoxel(const v1::VoxelSize& given, const PsfSteps& steps) {
  v1::VoxelSize told;
  told.set_z_um(given.z_um() * steps.z);
  told.set_y_um(given.y_um() * steps.y);
  told.set_x_um(given.x_um() * steps.x);
  return told;
}

v1::Finding ToldFinding(uint32_t c, const Shape3& given, const Shape3& told, const PsfOptions& options) {
  constexpr double kMuchCoarser = 0.7;  // of the PSF's voxels
  const PsfSteps& steps = options.steps;
  const std::string message =
      fmt::format("PSF of channel {}: its voxels of {} (z,y,x) become the image's of {}; {} voxels become {}", c,
                  VoxelText(options.voxel), VoxelText(ToldVoxel(options.voxel, steps)), Text(given), Text(told));
  if (std::min({steps.z, steps.y, steps.x}) >= kMuchCoarser) return MakeFinding(v1::INFO, message);
  v1::Finding finding = MakeFinding(v1::WARNING, message +
                                                     ". What is finer than its own voxels it does not tell, and "
                                                     "the result stays that much less sharp");
  finding.mutable_info()->set_field("deconvolve.psf_volume");
  finding.mutable_info()->set_remedy("Record or compute the PSF with the image's voxel size.");
  return finding;
}

float RimLevel(std::span<const float> values, const Shape3& shape) {
  std::vector<float> rim;
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    const int64_t y = i / shape.x % shape.y, x = i % shape.x;
    if (y == 0 || y == shape.y - 1 || x == 0 || x == shape.x - 1) rim.push_back(values[static_cast<size_t>(i)]);
  }
  const auto middle = rim.begin() + static_cast<std::ptrdiff_t>(rim.size() / 2);
  std::nth_element(rim.begin(), middle, rim.end());
  return *middle;
}

void TakeOff(double background, std::span<float> values) {
  for (float& v : values) v = static_cast<float>(std::max(static_cast<double>(v) - background, 0.0));
}

// What is taken off in the end; 0 for nothing.
double BackgroundOf(std::span<const float> values, const Shape3& shape, const PsfOptions& options) {
  if (options.background == PsfBackground::kGiven) return options.background_level;
  if (options.background == PsfBackground::kNone) return 0;
  return std::max(static_cast<double>(RimLevel(values, shape)), 0.0);
}

v1::Finding BackgroundFinding(uint32_t c, double background, double before, double after) {
  return MakeFinding(v1::INFO,
                     fmt::format("PSF of channel {}: a background of {:.4g} was taken off its values, {:.3g} % "
                                 "of their sum",
                                 c, background, 100 * (1 - after / before)));
}

// Where a centre that was asked for is not where the light is.
absl::Status NoteShift(std::span<const float> values, const Shape3& shape, const PsfOrigin& origin,
                       const PsfOptions& options, PsfAnalysis& analysis) {
  const bool asked = options.rule == v1::GEOMETRIC || options.rule == v1::GEOMETRIC_LOW || options.rule == v1::GIVEN;
  if (!asked) return absl::OkStatus();
  ASSIGN_OR_RETURN(const PsfOrigin peak, FindOrigin(values, shape, v1::PEAK, {}));
  const Voxel away = peak.centre - origin.centre;
  if (std::max({std::abs(away.z), std::abs(away.y), std::abs(away.x)}) <= 1) return absl::OkStatus();
  v1::Finding finding = MakeFinding(
      v1::WARNING,
      fmt::format("PSF of channel {}: its light lies {} voxels (z,y,x) from the centre that the rule `{}` gives: the "
                  "result comes out shifted by {} voxels",
                  analysis.report.c(), Text(ToProto(away)), CentreName(origin.rule),
                  Text(ToProto(Voxel{-away.z, -away.y, -away.x}))));
  finding.mutable_info()->set_field("deconvolve.psf_centre");
  finding.mutable_info()->set_remedy("Leave the centre open, or choose `peak` or `centroid`.");
  analysis.findings.push_back(std::move(finding));
  return absl::OkStatus();
}

// A PSF in the course of its analysis: where its origin lies, and what has been found so far.
struct Located {
  Voxel origin;  // among the values
  double sum = 0;
  PsfAnalysis analysis;
};

absl::StatusOr<Located> Locate(std::span<const float> values, const Shape3& shape, uint32_t c,
                               const PsfOptions& options) {
  ASSIGN_OR_RETURN(const Sums sums, Check(values, shape, c));
  ASSIGN_OR_RETURN(const PsfOrigin origin, FindOrigin(values, shape, options.rule, options.given));
  Located located{origin.centre, sums.positive, {}};
  v1::PsfReport& report = located.analysis.report;
  report.set_c(c);
  report.set_rule(origin.rule);
  *report.mutable_centre() = ToProto(origin.centre);
  *report.mutable_shift() = ToProto(origin.centre - Voxel{shape.z / 2, shape.y / 2, shape.x / 2});
  std::vector<v1::Finding>& findings = located.analysis.findings;
  RETURN_IF_ERROR(NoteShift(values, shape, origin, options, located.analysis));
  if (sums.negative > 0) findings.push_back(NegativeFinding(c, sums));
  for (const PsfDefect& defect : CheckPsf(values, shape)) findings.push_back(PsfFinding(c, defect));
  return located;
}

// The box, and what can be told of the values in it.
absl::StatusOr<PsfAnalysis> Crop(std::span<const float> values, const Shape3& shape, const PsfOptions& options,
                                 Located located) {
  PsfAnalysis& analysis = located.analysis;
  v1::PsfReport& report = analysis.report;
  if (options.periodic) {
    SetBox({{}, shape}, report);
    report.set_sum(located.sum);
    report.set_energy(1);
  } else {
    const PsfCrop crop = FindCrop(values, shape, located.origin, {options.energy, options.image});
    if (!(crop.sum > 0)) return BadPsf(report.c(), "is zero in the part around its centre that the image can use");
    const Voxel& h = crop.half;
    SetBox({located.origin - h, {2 * h.z + 1, 2 * h.y + 1, 2 * h.x + 1}}, report);
    report.set_sum(crop.sum);
    report.set_energy(crop.sum / located.sum);
    if (crop.limited) {
      analysis.findings.push_back(LimitFinding(report.c(), shape, options, crop.limited_sum / located.sum));
    }
  }
  SetSpread(values, shape, UsedPsfBox(report, shape), located.origin, report);
  const std::array<double, 3> widths = WidthsAtHalf(values, shape);
  report.set_fwhm_z(widths[0]);
  report.set_fwhm_y(widths[1]);
  report.set_fwhm_x(widths[2]);
  analysis.findings.push_back(Summary(report, shape, options));
  return std::move(analysis);
}

void SetSteps(const PsfSteps& steps, v1::PsfReport& report) {
  report.set_step_z(steps.z);
  report.set_step_y(steps.y);
  report.set_step_x(steps.x);
}

bool IsTold(const v1::PsfReport& report) {
  return report.step_z() > 0;
}

}  // namespace

absl::StatusOr<PsfAnalysis> AnalysePsf(std::span<const float> values, const Shape3& shape, uint32_t c,
                                       const PsfOptions& options) {
  ASSIGN_OR_RETURN(Located located, Locate(values, shape, c, options));
  return Crop(values, shape, options, std::move(located));
}

absl::StatusOr<PsfAnalysis> AnalysePsf(std::vector<float>& values, Shape3& shape, uint32_t c,
                                       const PsfOptions& options) {
  std::optional<v1::Finding> taken_off;
  double background = 0;
  if (options.background != PsfBackground::kNone) {
    ASSIGN_OR_RETURN(const Sums given, Check(values, shape, c));
    background = BackgroundOf(values, shape, options);
    TakeOff(background, values);
    taken_off = BackgroundFinding(c, background, given.positive, PositiveSum(values));
  }
  ASSIGN_OR_RETURN(Located located, Locate(values, shape, c, options));
  PsfAnalysis& analysis = located.analysis;
  analysis.report.set_background(background);
  if (taken_off) analysis.findings.push_back(*std::move(taken_off));
  PsfOptions told = options;
  if (!options.steps.same()) {
    SetSteps(options.steps, analysis.report);
    const Shape3 given = shape;
    shape = ToldShape(given, located.origin, options.steps);
    values = Resample(std::move(values), given, located.origin, options.steps);
    located.origin = ToldOrigin(located.origin, options.steps);
    analysis.findings.push_back(ToldFinding(c, given, shape, options));
    told.voxel = ToldVoxel(options.voxel, options.steps);
  }
  return Crop(values, shape, told, std::move(located));
}

Box3 UsedPsfBox(const v1::PsfReport& report, const Shape3& told) {
  return Intersect({ToVoxel(report.crop_origin()), ToShape3(report.crop_shape())}, {{}, told});
}

Voxel PsfOriginOf(const v1::PsfReport& report) {
  return ToldOrigin(ToVoxel(report.centre()), StepsOf(report));
}

Box3 PsfBoxToRead(const v1::PsfReport& report, const Shape3& shape) {
  return IsTold(report) ? Box3{{}, shape} : UsedPsfBox(report, shape);
}

absl::StatusOr<PreparedPsf> PreparePsf(std::vector<float> values, const Shape3& shape, const v1::PsfReport& report) {
  if (report.background() > 0) TakeOff(report.background(), values);
  Box3 held = PsfBoxToRead(report, shape);
  if (IsTold(report)) {
    const Voxel centre = ToVoxel(report.centre());
    values = Resample(std::move(values), shape, centre, StepsOf(report));
    held.shape = ToldShape(shape, centre, StepsOf(report));
  }
  const Box3 box{ToVoxel(report.crop_origin()), ToShape3(report.crop_shape())};
  PreparedPsf psf{std::vector<float>(static_cast<size_t>(box.shape.voxels())), box.shape,
                  PsfOriginOf(report) - box.origin};
  CopyBox(std::as_bytes(std::span(values)).data(), held, std::as_writable_bytes(std::span(psf.values)).data(), box,
          sizeof(float));
  const double sum = PositiveSum(psf.values);
  if (!(std::abs(sum - report.sum()) <= 1e-6 * report.sum())) {
    return BadPsf(report.c(), fmt::format("has the sum {:g} where its analysis found {:g}", sum, report.sum()));
  }
  Normalise(sum, psf.values);
  return psf;
}

void KeepUsed(const Shape3& told, const v1::PsfReport& report, std::vector<float>& values) {
  const Box3 box = UsedPsfBox(report, told);
  const Voxel begin = box.origin, end = box.end();
  float* kept = values.data();
  for (int64_t z = begin.z; z < end.z; ++z) {
    for (int64_t y = begin.y; y < end.y; ++y, kept += box.shape.x) {
      const float* row = values.data() + (z * told.y + y) * told.x + begin.x;
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
