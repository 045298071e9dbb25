#include "proto/contract/model_psf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr double kMostWaves = 500;   // of aberration: a millimetre of water under an oil objective has 350
constexpr double kMostPsfUm = 2000;  // along each axis
constexpr uint32_t kMostNoll = 37;
constexpr double kMostZernikeWaves = 1;  // of all modes together

double Or(double value, double otherwise) {
  return value == 0 ? otherwise : value;
}

struct Range {
  std::string_view name;
  double value;
  double least, most;
  std::string_view meaning;
  std::string_view example;
};

absl::Status Check(const Range& range) {
  if (range.value >= range.least && range.value <= range.most) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = fmt::format("model_psf.optics.{}", range.name),
                    .remedy = fmt::format("Give the {}, {:g} to {:g}; for instance {}={}.", range.meaning, range.least,
                                          range.most, range.name, range.example)},
                   range.value == 0 ? fmt::format("`{}` is not given", range.name)
                                    : fmt::format("`{}` is {:g}", range.name, range.value));
}

absl::Status CheckWavelength(std::string_view name, double value, std::string_view whose, std::string_view example) {
  const std::string meaning = fmt::format("wavelength of the {} in um (not nm)", whose);
  return Check({name, value, 0.2, 3, meaning, example});
}

absl::Status CheckLayers(const v1::Optics& optics) {
  constexpr std::string_view kIndex = "refractive index (air 1, water 1.333, oil 1.515)";
  for (const auto& [name, value] : {std::pair<std::string_view, double>{"ri_immersion", optics.ri_immersion()},
                                    {"ri_sample", optics.ri_sample()},
                                    {"ri_coverslip", optics.ri_coverslip()},
                                    {"ri_immersion_design", optics.ri_immersion_design()},
                                    {"ri_coverslip_design", optics.ri_coverslip_design()}}) {
    RETURN_IF_ERROR(Check({name, value, 1, 2.5, kIndex, "1.515"}));
  }
  RETURN_IF_ERROR(
      Check({"coverslip_um", optics.coverslip_um(), 1e-3, 2000, "thickness of the coverslip in um", "170"}));
  RETURN_IF_ERROR(Check({"coverslip_design_um", optics.coverslip_design_um(), 1e-3, 2000,
                         "thickness of coverslip that the objective is made for, in um", "170"}));
  RETURN_IF_ERROR(Check({"working_distance_um", optics.working_distance_um(), 1e-3, 50'000,
                         "thickness of the immersion layer in um", "150"}));
  return Check({"depth_um", optics.depth_um(), 0, 10'000, "depth below the coverslip in um", "5"});
}

absl::Status CheckLight(v1::Microscopy kind, const v1::Optics& optics) {
  RETURN_IF_ERROR(CheckWavelength("emission_um", optics.emission_um(), "emission", "0.52"));
  const bool pinhole = kind == v1::CONFOCAL || kind == v1::STED || kind == v1::SPINNING_DISK;
  const bool scans = pinhole || kind == v1::TWO_PHOTON;
  if (scans) RETURN_IF_ERROR(CheckWavelength("excitation_um", optics.excitation_um(), "illumination", "0.488"));
  if (pinhole) {
    RETURN_IF_ERROR(
        Check({"pinhole_au", optics.pinhole_au(), 1e-3, 100, "diameter of the pinhole in Airy units", "1"}));
  }
  if (kind == v1::SPINNING_DISK && optics.pinhole_spacing_um() != 0) {
    RETURN_IF_ERROR(Check({"pinhole_spacing_um", optics.pinhole_spacing_um(), 0.1, 100,
                           "distance of neighbouring pinholes in the specimen, in um", "2.5"}));
  }
  if (kind == v1::LIGHT_SHEET) {
    RETURN_IF_ERROR(Check({"sheet_fwhm_um", optics.sheet_fwhm_um(), 0.01, 1000,
                           "full width at half maximum of the light sheet in um", "3"}));
  }
  if (kind != v1::STED) return absl::OkStatus();
  RETURN_IF_ERROR(CheckWavelength("depletion_um", optics.depletion_um(), "depletion", "0.775"));
  return Check({"saturation", optics.saturation(), 1e-3, 1e4,
                "greatest intensity of the depletion over that which halves the fluorescence", "20"});
}

// How far light of the rim may be ahead of light on the axis, at most, in wavelengths.
double MostAberration(const v1::Optics& optics) {
  const double um = optics.depth_um() * std::abs(optics.ri_sample() - optics.ri_immersion()) +
                    optics.working_distance_um() * std::abs(optics.ri_immersion() - optics.ri_immersion_design()) +
                    std::abs(optics.coverslip_um() - optics.coverslip_design_um()) +
                    optics.coverslip_um() * std::abs(optics.ri_coverslip() - optics.ri_coverslip_design());
  return um / optics.emission_um();
}

absl::Status CheckAberration(const v1::Optics& optics) {
  const double waves = MostAberration(optics);
  if (waves <= kMostWaves) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = "model_psf.optics",
       .remedy = "Check the refractive indices, depth_um, coverslip_um and working_distance_um against what "
                 "the objective is made for (..._design)."},
      fmt::format("the layers differ from the design by up to {:.0f} wavelengths, more than {:g}: no image "
                  "forms",
                  waves, kMostWaves));
}

absl::Status Refuse(std::string_view field, std::string_view message, std::string_view remedy) {
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = fmt::format("model_psf.optics.{}", field), .remedy = std::string(remedy)},
      message);
}

absl::Status CheckZernike(v1::PsfModel model, const v1::Optics& optics) {
  std::set<uint32_t> seen;
  double squares = 0;
  for (const v1::ZernikeTerm& term : optics.zernike()) {
    if (term.noll() < 1 || term.noll() > kMostNoll) {
      return Refuse(
          "zernike", fmt::format("there is no Zernike mode {}", term.noll()),
          fmt::format("Give the number after Noll, 1 to {}; for instance 11 for spherical aberration.", kMostNoll));
    }
    if (!seen.insert(term.noll()).second) {
      return Refuse("zernike", fmt::format("the Zernike mode {} is given twice", term.noll()), "Give each mode once.");
    }
    squares += term.rms_waves() * term.rms_waves();
  }
  if (!(std::sqrt(squares) <= kMostZernikeWaves)) {
    return Refuse("zernike",
                  fmt::format("the Zernike modes have {:.3g} wavelengths root mean square together, more than {:g}",
                              std::sqrt(squares), kMostZernikeWaves),
                  "Give strengths in wavelengths, root mean square: 0.07 is the usual limit of a good objective.");
  }
  if (model != v1::GAUSSIAN || squares == 0) return absl::OkStatus();
  return Refuse("zernike", "a Gaussian has no aberrations", "Leave them out, or choose another model.");
}

// Widths are those of a Gaussian.
absl::Status CheckWidths(v1::PsfModel model, const v1::Optics& optics) {
  for (const auto& [name, value] :
       {std::pair<std::string_view, double>{"fwhm_um", optics.fwhm_um()}, {"fwhm_z_um", optics.fwhm_z_um()}}) {
    if (value == 0) continue;
    RETURN_IF_ERROR(Check({name, value, 0.01, 100, "full width at half maximum in um", "0.25"}));
    if (model != v1::GAUSSIAN) {
      return Refuse(name, fmt::format("`{}` is given, which only the model gaussian knows", name),
                    "Leave it out, or choose that model.");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIdeal(const v1::Optics& optics) {
  const bool ideal =
      optics.ri_sample() == optics.ri_immersion() && optics.ri_immersion_design() == optics.ri_immersion() &&
      optics.ri_coverslip_design() == optics.ri_coverslip() && optics.coverslip_design_um() == optics.coverslip_um();
  if (ideal) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "model_psf.model",
                    .remedy = "Choose gibson-lanni, or give one refractive index and no layers that differ."},
                   "Born and Wolf's model knows no layers of other refractive index or thickness than the objective's");
}

// No extents yet are none.
absl::Status CheckExtents(const v1::ModelPsfSpec& spec) {
  const v1::Voxel3& shape = spec.shape();
  const v1::VoxelSize& voxel = spec.voxel_size();
  const double largest = std::max({shape.z() * voxel.z_um(), shape.y() * voxel.y_um(), shape.x() * voxel.x_um()});
  if (largest <= kMostPsfUm) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "model_psf.shape",
                    .remedy = "Give fewer voxels, or the voxel size in um (not nm)."},
                   fmt::format("the PSF would reach over {:g} um, more than {:g}", largest, kMostPsfUm));
}

}  // namespace

v1::Optics ResolveOptics(const v1::ModelPsfSpec& spec) {
  v1::Optics optics = spec.optics();
  if (spec.microscopy() == v1::TWO_PHOTON) optics.set_emission_um(optics.excitation_um());
  optics.set_ri_immersion(Or(optics.ri_immersion(), 1.515));
  optics.set_ri_sample(Or(optics.ri_sample(), optics.ri_immersion()));
  optics.set_ri_coverslip(Or(optics.ri_coverslip(), 1.5255));
  optics.set_ri_immersion_design(Or(optics.ri_immersion_design(), optics.ri_immersion()));
  optics.set_ri_coverslip_design(Or(optics.ri_coverslip_design(), optics.ri_coverslip()));
  optics.set_coverslip_um(Or(optics.coverslip_um(), 170));
  optics.set_coverslip_design_um(Or(optics.coverslip_design_um(), optics.coverslip_um()));
  optics.set_working_distance_um(Or(optics.working_distance_um(), 150));
  optics.set_pinhole_au(Or(optics.pinhole_au(), 1));
  return optics;
}

namespace {

// A Gaussian whose widths are given needs nothing else.
bool NeedsOptics(const v1::ModelPsfSpec& spec) {
  return spec.model() != v1::GAUSSIAN || spec.optics().fwhm_um() == 0 || spec.optics().fwhm_z_um() == 0;
}

// Never far above the most that there may be.
int64_t OddExtent(double half_um, double voxel_um) {
  return 2 * static_cast<int64_t>(std::min(std::ceil(half_um / voxel_um), static_cast<double>(limits::kAxisVoxels))) +
         1;
}

}  // namespace

Shape3 AmplePsfShape(const v1::ModelPsfSpec& spec) {
  const v1::Optics optics = ResolveOptics(spec);
  const v1::VoxelSize& voxel = spec.voxel_size();
  const auto box = [&](double up, double side) {
    return Shape3{OddExtent(up, voxel.z_um()), OddExtent(side, voxel.y_um()), OddExtent(side, voxel.x_um())};
  };
  if (!NeedsOptics(spec)) return box(2 * optics.fwhm_z_um(), 2 * optics.fwhm_um());
  const double n = optics.ri_immersion(), na = optics.na(), wavelength = optics.emission_um();
  const double axial = 0.886 * wavelength / (n - std::sqrt(n * n - na * na));
  const double up = std::max(4 * axial, 1.0);
  const bool wide = spec.microscopy() == v1::WIDEFIELD || spec.microscopy() == v1::MICROSCOPY_UNSPECIFIED;
  const double cone = wide && spec.model() != v1::GAUSSIAN ? up * na / std::sqrt(n * n - na * na) : 0;
  return box(up, cone + 3 * 1.22 * wavelength / na);
}

absl::Status ValidateModelPsf(const v1::ModelPsfSpec& spec) {
  const v1::Optics optics = ResolveOptics(spec);
  RETURN_IF_ERROR(CheckWidths(spec.model(), optics));
  RETURN_IF_ERROR(CheckZernike(spec.model(), optics));
  if (!NeedsOptics(spec)) return CheckExtents(spec);
  RETURN_IF_ERROR(Check({"na", optics.na(), 0.01, 1.7, "numerical aperture of the objective", "1.4"}));
  RETURN_IF_ERROR(CheckLayers(optics));
  RETURN_IF_ERROR(CheckLight(spec.microscopy(), optics));
  RETURN_IF_ERROR(CheckAberration(optics));
  RETURN_IF_ERROR(CheckExtents(spec));
  if (optics.na() >= optics.ri_immersion()) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "model_psf.optics.na",
                      .remedy = "Give the immersion's refractive index (`ri_immersion`), or the right `na`."},
                     fmt::format("`na` is {:g}, which no immersion of refractive index {:g} allows", optics.na(),
                                 optics.ri_immersion()));
  }
  if (spec.model() == v1::BORN_WOLF) RETURN_IF_ERROR(CheckIdeal(optics));
  const bool vectorial = spec.model() == v1::RICHARDS_WOLF || spec.model() == v1::PSF_MODEL_UNSPECIFIED;
  if (optics.polarised() && (spec.microscopy() != v1::CONFOCAL || !vectorial)) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "model_psf.optics.polarised",
                      .remedy = "Leave it out, or use the model richards-wolf of a confocal."},
                     "polarised illumination is known to the model richards-wolf of a confocal only");
  }
  return absl::OkStatus();
}

}  // namespace deconvoy
