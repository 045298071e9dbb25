#include "client/cli/spec_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/model_psf.h"

namespace deconvoy::client {
namespace {

// As it is written on the command line: GEOMETRIC_LOW is geometric-low.
std::string Choice(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return Lower(std::move(name));
}

std::string VoxelText(const v1::Voxel3& voxel) {
  return fmt::format("{},{},{}", voxel.z(), voxel.y(), voxel.x());
}

std::string SizeText(const v1::VoxelSize& size) {
  return fmt::format("{:g},{:g},{:g} um", size.z_um(), size.y_um(), size.x_um());
}

std::string TypeText(v1::VoxelType type, v1::VoxelType fallback) {
  return Choice(v1::VoxelType_Name(type == v1::VOXEL_TYPE_UNSPECIFIED ? fallback : type));
}

std::string BoundaryText(v1::Boundary boundary) {
  return boundary == v1::BOUNDARY_UNSPECIFIED ? "the method's default" : Choice(v1::Boundary_Name(boundary));
}

std::string TileText(const v1::TileRequest& tile) {
  if (tile.whole()) return "none, the whole frame at once";
  return tile.core().z() == 0 ? "auto" : "core of " + VoxelText(tile.core());
}

template <class Spec>
std::string CentreText(const Spec& spec) {
  if (spec.psf_centre() == v1::GIVEN) return "voxel " + VoxelText(spec.psf_centre_voxel());
  const bool automatic = spec.psf_centre() == v1::AUTO_CENTRE || spec.psf_centre() == v1::PSF_CENTRE_UNSPECIFIED;
  return automatic ? "auto" : Choice(v1::PsfCentre_Name(spec.psf_centre()));
}

std::string BackgroundText(const v1::DeconvolveSpec& spec) {
  switch (spec.background_case()) {
    case v1::DeconvolveSpec::kBackgroundCounts:
      return fmt::format("{:g} counts above the offset", spec.background_counts());
    case v1::DeconvolveSpec::kBackgroundPercentile:
      return fmt::format("what {:g} % of a frame's voxels lie below", spec.background_percentile());
    case v1::DeconvolveSpec::kBackgroundPlanesAuto:
      return "auto, of each plane";
    case v1::DeconvolveSpec::kBackgroundPlanes: {
      const auto& counts = spec.background_planes().counts();
      const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
      return fmt::format("{:g} to {:g} counts above the offset, given for each plane", *least, *most);
    }
    default:
      return "auto";
  }
}

template <class Spec>
std::string PsfBackgroundText(const Spec& spec) {
  switch (spec.psf_background_case()) {
    case Spec::kPsfBackgroundAuto:
      return "auto";
    case Spec::kPsfBackgroundCounts:
      return fmt::format("{:g}", spec.psf_background_counts());
    default:
      return "stays";
  }
}

// Zero stands for `fallback` in the contract.
double Or(double value, double fallback) {
  return value == 0 ? fallback : value;
}

std::string GainText(const v1::DeconvolveSpec& spec) {
  if (spec.estimate_gain()) return "auto";
  return fmt::format("{:g} photons per count", Or(spec.gain_photons_per_count(), 1));
}

std::string ReadNoiseText(const v1::DeconvolveSpec& spec) {
  if (spec.estimate_gain() && spec.read_noise_photons() == 0) return "auto";
  return fmt::format("{:g} photons", spec.read_noise_photons());
}

// Optics by channel, where there are any.
template <class Spec>
void AppendOptics(const Spec& spec, std::vector<std::string>& lines) {
  for (int c = 0; c < spec.optics_size(); ++c) {
    const v1::Optics& optics = spec.optics(c);
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    optics.GetReflection()->ListFields(optics, &fields);  // those that are not 0
    std::vector<std::string> values;
    for (const auto* field : fields) {
      if (field->is_repeated() || field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) continue;
      values.push_back(fmt::format("{} {:g}", field->name(), optics.GetReflection()->GetDouble(optics, field)));
    }
    const v1::Microscopy kind = spec.microscopy() == v1::MICROSCOPY_UNSPECIFIED ? v1::WIDEFIELD : spec.microscopy();
    lines.push_back(fmt::format("optics{}: {}, {}", spec.optics_size() > 1 ? fmt::format(" of channel {}", c) : "",
                                Choice(v1::Microscopy_Name(kind)), fmt::join(values, ", ")));
  }
}

std::vector<std::string> Lines(const v1::DeconvolveSpec& spec) {
  std::vector<std::string> lines = {"method: " + Printable(spec.method())};
  for (const auto& [key, value] :
       std::map<std::string, std::string>(spec.parameters().begin(), spec.parameters().end()))
    lines.push_back(fmt::format("  {}: {}", Printable(key), Printable(value)));
  lines.insert(
      lines.end(),
      {"  boundary: " + BoundaryText(spec.boundary()), "  tile: " + TileText(spec.tile()),
       "  backend: " + (spec.backend().empty() ? "auto" : Printable(spec.backend())),
       "image: " + Printable(spec.input_volume()), fmt::format("  offset: {:g} counts", spec.offset_counts()),
       "  gain: " + GainText(spec), "  read noise: " + ReadNoiseText(spec),
       fmt::format("  dark current: {:g} electrons", spec.dark_photons()),
       std::string("  bad pixels: ") + (spec.keep_bad_pixels() ? "off" : "auto"),
       std::string("  bleaching: ") + (spec.correct_bleaching() ? "correct" : "report"),
       std::string("  flicker: ") + (spec.correct_flicker() ? "correct" : "report"),
       std::string("  motion: ") + (spec.correct_motion() ? "correct" : "report"),
       "  background: " + BackgroundText(spec), "PSF: " + Printable(spec.psf_volume()), "  centre: " + CentreText(spec),
       "  background: " + PsfBackgroundText(spec), fmt::format("  energy: {:g}", Or(spec.psf_energy(), 0.999)),
       "result type: " + TypeText(spec.output_type(), v1::F32),
       std::string("  camera offset: ") + (spec.keep_offset() ? "kept" : "removed")});
  if (spec.has_region_shape()) {
    lines.push_back(
        fmt::format("region: {} voxels at {}", VoxelText(spec.region_shape()), VoxelText(spec.region_origin())));
  }
  if (spec.psf_depths_um_size() > 0)
    lines.push_back(fmt::format("PSF depths: {:g} um", fmt::join(spec.psf_depths_um(), ", ")));
  if (!spec.mask_volume().empty()) lines.push_back("mask: " + Printable(spec.mask_volume()));
  if (!spec.flat_field_volume().empty()) lines.push_back("flat field: " + Printable(spec.flat_field_volume()));
  if (spec.saturation_counts() > 0)
    lines.push_back(fmt::format("saturated from: {:g} counts", spec.saturation_counts()));
  AppendOptics(spec, lines);
  return lines;
}

std::vector<std::string> Lines(const v1::SimulateSpec& spec) {
  return {"specimen: " + Choice(v1::SpecimenKind_Name(spec.kind())),
          "  shape: " + VoxelText(spec.shape()),
          fmt::format("  seed: {}", spec.seed()),
          "  voxel size: " + SizeText(spec.voxel_size()),
          "PSF: " + (spec.psf_volume().empty() ? "Gaussian of width " + SizeText(spec.psf_fwhm())
                                               : Printable(spec.psf_volume())),
          std::string("  periodic: ") + (spec.periodic() ? "yes" : "no"),
          "camera:",
          fmt::format("  photons: {:g}", spec.peak_photons()),
          fmt::format("  background: {:g} photons", spec.background_photons()),
          fmt::format("  read noise: {:g} photons", spec.read_noise_photons()),
          fmt::format("  gain: {:g} photons per count", Or(spec.gain_photons_per_count(), 1)),
          fmt::format("  offset: {:g} counts", spec.offset_counts()),
          "  type: " + TypeText(spec.raw_type(), v1::U16)};
}

std::vector<std::string> Lines(const v1::ProjectSpec& spec) {
  return {"image: " + Printable(spec.input_volume()),
          "  maximum along: " + Choice(v1::ProjectSpec::Axis_Name(spec.axis()))};
}

std::vector<std::string> Lines(const v1::ModelPsfSpec& spec) {
  const v1::Optics optics = ResolveOptics(spec);
  std::vector<std::string> lines = {
      "PSF of optics: " + Choice(v1::Microscopy_Name(spec.microscopy())), "  shape: " + VoxelText(spec.shape()),
      "  voxel size: " + SizeText(spec.voxel_size()), "  model: " + Choice(v1::PsfModel_Name(spec.model()))};
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  optics.GetReflection()->ListFields(optics, &fields);  // those that are not 0
  for (const auto* field : fields) {
    if (!field->is_repeated() && field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) {
      lines.push_back(fmt::format("  {}: {:g}", field->name(), optics.GetReflection()->GetDouble(optics, field)));
    }
  }
  if (optics.polarised()) lines.push_back("  polarised along x");
  for (const v1::ZernikeTerm& term : optics.zernike()) {
    lines.push_back(fmt::format("  Zernike mode {}: {:g} wavelengths", term.noll(), term.rms_waves()));
  }
  return lines;
}

std::vector<std::string> Lines(const v1::CheckPsfSpec& spec) {
  std::vector<std::string> lines = {"PSF: " + Printable(spec.psf_volume()), "  centre: " + CentreText(spec),
                                    fmt::format("  energy: {:g}", Or(spec.psf_energy(), 0.999)),
                                    "  background: " + PsfBackgroundText(spec)};
  if (spec.has_image_shape()) lines.push_back("for images of: " + VoxelText(spec.image_shape()) + " voxels");
  if (spec.has_image_voxel_size()) lines.push_back("  voxel size: " + SizeText(spec.image_voxel_size()));
  AppendOptics(spec, lines);
  return lines;
}

std::vector<std::string> Lines(const v1::PreparePsfSpec& spec) {
  std::vector<std::string> lines = {"prepared PSF: " + Printable(spec.psf_volume())};
  for (const v1::PsfReport& report : spec.psfs()) {
    lines.push_back(fmt::format("  t={} c={}: box of {} at {}, centre {}", report.t(), report.c(),
                                VoxelText(report.crop_shape()), VoxelText(report.crop_origin()),
                                VoxelText(report.centre())));
    if (report.background() > 0) lines.push_back(fmt::format("    background: {:g}", report.background()));
    if (report.step_z() > 0) {
      lines.push_back(
          fmt::format("    voxels: {:g},{:g},{:g} of its own", report.step_z(), report.step_y(), report.step_x()));
    }
  }
  return lines;
}

std::vector<std::string> Lines(const v1::DistillSpec& spec) {
  std::vector<std::string> lines = {"beads: " + Printable(spec.input_volume())};
  for (const std::string& more : spec.more_volumes()) lines.push_back("  and " + Printable(more));
  const v1::DistillSpec::Average average =
      spec.average() == v1::DistillSpec::AVERAGE_UNSPECIFIED ? v1::DistillSpec::TRIMMED_MEAN : spec.average();
  lines.insert(lines.end(),
               {fmt::format("  channel: {}", spec.channel()), "  shape of the PSF: " + VoxelText(spec.shape()),
                fmt::format("  least signal over noise: {:g}", Or(spec.least_snr(), 10)),
                "  saturation: " +
                    (spec.saturation_counts() > 0 ? fmt::format("{:g} counts", spec.saturation_counts()) : "none"),
                "  average: " + Choice(v1::DistillSpec::Average_Name(average))});
  if (spec.search_fwhm_voxels() > 0)
    lines.push_back(fmt::format("  width to look for: {:g} voxels", spec.search_fwhm_voxels()));
  if (spec.bead_um() > 0) {
    lines.push_back(
        fmt::format("  diameter of the beads: {:g} um, floor {:g}", spec.bead_um(), Or(spec.bead_floor(), 0.01)));
  }
  if (spec.smoothing_voxels() > 0) lines.push_back(fmt::format("  smoothed by: {:g} voxels", spec.smoothing_voxels()));
  return lines;
}

std::vector<std::string> Lines(const v1::TrainModelSpec& spec) {
  std::vector<std::string> lines = {
      "network: " + Printable(spec.network()), "PSF: " + Printable(spec.psf_volume()),
      fmt::format("target: {}{}", Lower(v1::TrainingTarget_Name(spec.target())),
                  spec.method().empty() ? "" : ", " + Printable(spec.method())),
      fmt::format("steps: {} in {} parts, seed {}", spec.steps(), spec.parts(), spec.seed())};
  for (const std::string& name : spec.input_volumes()) lines.push_back("image: " + Printable(name));
  for (const std::string& name : spec.truth_volumes()) lines.push_back("truth: " + Printable(name));
  return lines;
}

}  // namespace

std::vector<std::string> SpecLines(const v1::JobSpec& spec) {
  switch (spec.work_case()) {
    case v1::JobSpec::kDeconvolve:
      return Lines(spec.deconvolve());
    case v1::JobSpec::kSimulate:
      return Lines(spec.simulate());
    case v1::JobSpec::kProject:
      return Lines(spec.project());
    case v1::JobSpec::kDistill:
      return Lines(spec.distill());
    case v1::JobSpec::kCheckPsf:
      return Lines(spec.check_psf());
    case v1::JobSpec::kPreparePsf:
      return Lines(spec.prepare_psf());
    case v1::JobSpec::kTrainModel:
      return Lines(spec.train_model());
    case v1::JobSpec::kCheckModel:
      return {"model's file: " + Printable(spec.check_model().model_volume())};
    case v1::JobSpec::kModelPsf:
      return Lines(spec.model_psf());
    case v1::JobSpec::kImportFile:
      return {"file on the server: " + Printable(spec.import_file().file())};
    case v1::JobSpec::kExportFile:
      return {"volume: " + Printable(spec.export_file().volume()),
              "file on the server: " + Printable(spec.export_file().file())};
    default:
      return {};
  }
}

}  // namespace deconvoy::client
