#include "proto/contract/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "proto/contract/checksum.h"
#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_psf.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/optics.h"
#include "proto/contract/prepared_psf.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/server_file.h"
#include "proto/contract/simulation.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

constexpr size_t kMethodNameBytes = 64;

absl::Status Invalid(std::string_view field, std::string_view what, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field), .remedy = std::string(remedy)},
                   fmt::format("`{}` {}", field, what));
}

absl::Status Above(std::string_view field, std::string_view what, size_t limit, std::string_view remedy) {
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = std::string(field),
                    .remedy = std::string(remedy),
                    .metadata = {{"limit", fmt::to_string(limit)}}},
                   fmt::format("`{}` {}", field, what));
}

// --- Checks of single values ---

absl::Status CheckText(std::string_view text, size_t limit, std::string_view field) {
  if (text.size() > limit) {
    return Above(field, fmt::format("has {} bytes, more than {}", text.size(), limit), limit, "Shorten it.");
  }
  if (!IsUtf8(text)) return Invalid(field, fmt::format("is `{}`, which is not UTF-8", text), "Give it in UTF-8.");
  return absl::OkStatus();
}

absl::Status CheckNumber(double value, double least, double most, std::string_view field, std::string_view unit) {
  if (std::isfinite(value) && value >= least && value <= most) return absl::OkStatus();
  return Invalid(
      field,
      fmt::format("is {}, but must be a number from {} to {}{}{}", value, least, most, unit.empty() ? "" : " ", unit),
      fmt::format("Give a number from {} to {}.", least, most));
}

absl::Status CheckCounts(double value, std::string_view field, std::string_view unit) {
  return CheckNumber(value, 0, limits::kMaximumCounts, field, unit);
}

// A gain, of which 0 means 1.
absl::Status CheckGain(double value, std::string_view field) {
  if (value == 0) return absl::OkStatus();
  return CheckNumber(value, 1 / limits::kMaximumCounts, limits::kMaximumCounts, field, "photons per count");
}

// A length, of which 0 means unknown.
absl::Status CheckLength(double value_um, std::string_view field) {
  if (value_um == 0) return absl::OkStatus();
  return CheckNumber(value_um, 1 / limits::kMaximumUm, limits::kMaximumUm, field, "um");
}

absl::Status CheckVoxelSize(const v1::VoxelSize& size, std::string_view field) {
  RETURN_IF_ERROR(CheckLength(size.z_um(), fmt::format("{}.z_um", field)));
  RETURN_IF_ERROR(CheckLength(size.y_um(), fmt::format("{}.y_um", field)));
  return CheckLength(size.x_um(), fmt::format("{}.x_um", field));
}

absl::Status CheckEnum(bool valid, int value, std::string_view field) {
  if (valid) return absl::OkStatus();
  return Invalid(field, fmt::format("is {}, which this version does not know", value),
                 "Use one of the values in the contract, or leave it unspecified where that is allowed.");
}

absl::Status CheckVolumeType(v1::VoxelType type, std::string_view field) {
  RETURN_IF_ERROR(CheckEnum(v1::VoxelType_IsValid(type), type, field));
  if (type != v1::VOXEL_TYPE_UNSPECIFIED) return absl::OkStatus();
  return Invalid(field, "is missing", "Give U8, U16 or F32.");
}

absl::Status CheckVoxel3(const v1::Voxel3& voxel, int64_t least, int64_t most, std::string_view field) {
  const auto within = [least, most](int64_t extent) { return extent >= least && extent <= most; };
  if (within(voxel.z()) && within(voxel.y()) && within(voxel.x())) return absl::OkStatus();
  return Invalid(
      field,
      fmt::format("is z,y,x {},{},{}, but each must be from {} to {}", voxel.z(), voxel.y(), voxel.x(), least, most),
      fmt::format("Give three whole numbers from {} to {}.", least, most));
}

bool IsZero(const v1::Voxel3& voxel) {
  return voxel.z() == 0 && voxel.y() == 0 && voxel.x() == 0;
}

absl::Status CheckVolumeName(std::string_view name, std::string_view field) {
  if (name.empty()) return Invalid(field, "is missing", "Name a volume, for instance `volumes/...`.");
  return VolumeId(name, field).status();
}

// A volume, or a PSF of the library.
absl::Status CheckPsfVolume(std::string_view name, std::string_view field) {
  return IsOfPsf(name) ? ParsePsfName(name, field).status() : CheckVolumeName(name, field);
}

// --- Deconvolution ---

absl::Status CheckMethodName(std::string_view method) {
  const bool valid = !method.empty() && method.size() <= kMethodNameBytes &&
                     std::all_of(method.begin(), method.end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (valid) return absl::OkStatus();
  return Invalid("deconvolve.method",
                 fmt::format("is `{}`, which is no name of a method", method.substr(0, kMethodNameBytes)),
                 "Name a method, for instance `rl`; `deconvoy methods` lists them.");
}

absl::Status CheckParameters(const google::protobuf::Map<std::string, std::string>& parameters) {
  constexpr std::string_view kField = "deconvolve.parameters";
  if (parameters.size() > limits::kParameterCount) {
    return Above(kField, fmt::format("has {} entries, more than {}", parameters.size(), limits::kParameterCount),
                 limits::kParameterCount, "Leave out those that keep their default.");
  }
  for (const auto& [name, value] : parameters) {
    if (name.empty()) return Invalid(kField, "has an entry without a name", "Give name=value.");
    RETURN_IF_ERROR(CheckText(name, limits::kParameterNameBytes, kField));
    RETURN_IF_ERROR(CheckText(value, limits::kParameterValueBytes, fmt::format("{}[\"{}\"]", kField, name)));
  }
  return absl::OkStatus();
}

// How many there must be is the image's to say.
absl::Status CheckGivenPlanes(const v1::PlaneBackgrounds& planes) {
  constexpr std::string_view kField = "deconvolve.background_planes";
  if (planes.counts().empty()) return Invalid(kField, "is empty", "Give a background for each plane of the image.");
  if (static_cast<size_t>(planes.counts_size()) > limits::kBackgroundPlanes) {
    return Above(kField, fmt::format("has {} planes, more than {}", planes.counts_size(), limits::kBackgroundPlanes),
                 limits::kBackgroundPlanes, "Give one background for all planes, or have that of each estimated.");
  }
  for (int z = 0; z < planes.counts_size(); ++z) {
    RETURN_IF_ERROR(CheckCounts(planes.counts(z), fmt::format("{}.counts[{}]", kField, z), "counts"));
  }
  return absl::OkStatus();
}

absl::Status CheckBackground(const v1::DeconvolveSpec& spec) {
  switch (spec.background_case()) {
    case v1::DeconvolveSpec::kBackgroundCounts:
      return CheckCounts(spec.background_counts(), "deconvolve.background_counts", "counts");
    case v1::DeconvolveSpec::kBackgroundAuto:
      if (spec.background_auto()) return absl::OkStatus();
      return Invalid("deconvolve.background_auto", "is false, but no background is given",
                     "Give `background_counts`, 0 for none, or let it be automatic.");
    case v1::DeconvolveSpec::kBackgroundPercentile:
      if (spec.background_percentile() > 0 && spec.background_percentile() < 100) return absl::OkStatus();
      return Invalid("deconvolve.background_percentile", fmt::format("is {}", spec.background_percentile()),
                     "Give a number above 0 and below 100, for instance 5.");
    case v1::DeconvolveSpec::kBackgroundPlanesAuto:
      if (spec.background_planes_auto()) return absl::OkStatus();
      return Invalid("deconvolve.background_planes_auto", "is false, but no background is given",
                     "Give `background_planes`, or let it be automatic.");
    case v1::DeconvolveSpec::kBackgroundPlanes:
      return CheckGivenPlanes(spec.background_planes());
    case v1::DeconvolveSpec::BACKGROUND_NOT_SET:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

// `Spec` is a DeconvolveSpec or CheckPsfSpec, called `work` in fields.
template <class Spec>
absl::Status CheckPsfBackground(const Spec& spec, std::string_view work) {
  if (spec.psf_background_case() == Spec::kPsfBackgroundAuto && !spec.psf_background_auto()) {
    return Invalid(fmt::format("{}.psf_background_auto", work), "is false",
                   "Set it, or leave it out: nothing is taken off then.");
  }
  return CheckCounts(spec.psf_background_counts(), fmt::format("{}.psf_background_counts", work), "of the PSF's unit");
}

// Background, centre and energy of the PSF. `Spec` is a DeconvolveSpec or CheckPsfSpec, called `work` in fields.
template <class Spec>
absl::Status CheckPreparation(const Spec& spec, std::string_view work) {
  RETURN_IF_ERROR(CheckPsfBackground(spec, work));
  const std::string rule = fmt::format("{}.psf_centre", work), voxel = rule + "_voxel";
  RETURN_IF_ERROR(CheckEnum(v1::PsfCentre_IsValid(spec.psf_centre()), spec.psf_centre(), rule));
  const bool given = spec.psf_centre() == v1::GIVEN;
  if (given && !spec.has_psf_centre_voxel()) {
    return Invalid(voxel, fmt::format("is missing, but `{}` is GIVEN", rule), "Give the voxel, or another rule.");
  }
  if (!given && spec.has_psf_centre_voxel()) {
    return Invalid(voxel, fmt::format("is given, but `{}` is not GIVEN", rule),
                   "Set the rule to GIVEN, or leave it out.");
  }
  RETURN_IF_ERROR(CheckVoxel3(spec.psf_centre_voxel(), 0, limits::kAxisVoxels - 1, voxel));
  // 0 means the default; the smallest share that is of any use is far above this.
  if (spec.psf_energy() == 0) return absl::OkStatus();
  return CheckNumber(spec.psf_energy(), 1e-6, 1, fmt::format("{}.psf_energy", work), "");
}

absl::Status CheckTile(const v1::TileRequest& tile) {
  if (IsZero(tile.core())) return absl::OkStatus();
  if (tile.whole()) {
    return Invalid("deconvolve.tile", "asks for the whole frame and gives a core", "Give one of them.");
  }
  return CheckVoxel3(tile.core(), 1, limits::kAxisVoxels, "deconvolve.tile.core");
}

// Whether the region lies inside the image is for CheckRegion to say.
absl::Status CheckRegionForm(const v1::DeconvolveSpec& spec) {
  constexpr char kOrigin[] = "deconvolve.region_origin", kShape[] = "deconvolve.region_shape";
  if (spec.has_region_origin() != spec.has_region_shape()) {
    return Invalid(spec.has_region_shape() ? kOrigin : kShape, "is missing, but the other of both is given",
                   "Give the region's first voxel and its extents, or neither for everything.");
  }
  if (!spec.has_region_shape()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckVoxel3(spec.region_origin(), 0, limits::kAxisVoxels - 1, kOrigin));
  return CheckVoxel3(spec.region_shape(), 1, limits::kAxisVoxels, kShape);
}

absl::Status CheckBackend(std::string_view backend) {
  if (backend.empty() || backend == "cpu" || backend == "cuda") return absl::OkStatus();
  return Invalid("deconvolve.backend", fmt::format("is `{}`, which is no backend", backend.substr(0, kMethodNameBytes)),
                 "Give `cpu`, `cuda` or nothing for whatever there is.");
}

absl::Status CheckPhotometry(const v1::DeconvolveSpec& spec) {
  RETURN_IF_ERROR(CheckNumber(spec.offset_counts(), -limits::kMaximumCounts, limits::kMaximumCounts,
                              "deconvolve.offset_counts", "counts"));
  RETURN_IF_ERROR(CheckGain(spec.gain_photons_per_count(), "deconvolve.gain_photons_per_count"));
  RETURN_IF_ERROR(CheckCounts(spec.read_noise_photons(), "deconvolve.read_noise_photons", "photons"));
  RETURN_IF_ERROR(CheckCounts(spec.dark_photons(), "deconvolve.dark_photons", "electrons"));
  if (spec.estimate_gain() && spec.gain_photons_per_count() > 0) {
    return Invalid("deconvolve.estimate_gain", "is true, but a gain is given", "Give one of them.");
  }
  return CheckBackground(spec);
}

absl::Status CheckMasking(const v1::DeconvolveSpec& spec) {
  if (!spec.mask_volume().empty()) RETURN_IF_ERROR(CheckVolumeName(spec.mask_volume(), "deconvolve.mask_volume"));
  if (!spec.flat_field_volume().empty()) {
    RETURN_IF_ERROR(CheckVolumeName(spec.flat_field_volume(), "deconvolve.flat_field_volume"));
  }
  return CheckCounts(spec.saturation_counts(), "deconvolve.saturation_counts", "counts");
}

absl::Status CheckDepths(const v1::DeconvolveSpec& spec) {
  constexpr char kField[] = "deconvolve.psf_depths_um";
  if (static_cast<size_t>(spec.psf_depths_um_size()) > limits::kPsfDepths) {
    return Above(kField, fmt::format("has {} depths, more than {}", spec.psf_depths_um_size(), limits::kPsfDepths),
                 limits::kPsfDepths, "Give fewer depths: between two of them results are blended.");
  }
  for (int i = 0; i < spec.psf_depths_um_size(); ++i) {
    RETURN_IF_ERROR(CheckNumber(spec.psf_depths_um(i), -limits::kMaximumUm, limits::kMaximumUm, kField, "um"));
    if (i > 0 && spec.psf_depths_um(i) <= spec.psf_depths_um(i - 1)) {
      return Invalid(kField, fmt::format("has {} after {}", spec.psf_depths_um(i), spec.psf_depths_um(i - 1)),
                     "Give rising depths, and the PSF's stacks in that order.");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDeconvolve(const v1::DeconvolveSpec& spec) {
  RETURN_IF_ERROR(CheckVolumeName(spec.input_volume(), "deconvolve.input_volume"));
  RETURN_IF_ERROR(CheckPsfVolume(spec.psf_volume(), "deconvolve.psf_volume"));
  RETURN_IF_ERROR(CheckMethodName(spec.method()));
  RETURN_IF_ERROR(CheckParameters(spec.parameters()));
  RETURN_IF_ERROR(ValidateModelFields(spec));
  RETURN_IF_ERROR(CheckEnum(v1::Boundary_IsValid(spec.boundary()), spec.boundary(), "deconvolve.boundary"));
  RETURN_IF_ERROR(CheckPhotometry(spec));
  RETURN_IF_ERROR(CheckPreparation(spec, "deconvolve"));
  RETURN_IF_ERROR(CheckTile(spec.tile()));
  RETURN_IF_ERROR(CheckRegionForm(spec));
  RETURN_IF_ERROR(CheckMasking(spec));
  RETURN_IF_ERROR(CheckDepths(spec));
  RETURN_IF_ERROR(ValidateOptics(spec.optics(), spec.microscopy(), "deconvolve"));
  RETURN_IF_ERROR(CheckEnum(v1::VoxelType_IsValid(spec.output_type()), spec.output_type(), "deconvolve.output_type"));
  return CheckBackend(spec.backend());
}

// --- Simulation, projection, PSFs ---

absl::Status CheckSimulatedPsf(const v1::SimulateSpec& spec) {
  if (spec.psf_volume().empty()) return GaussianPsfShape(spec.psf_fwhm(), spec.voxel_size()).status();
  RETURN_IF_ERROR(CheckPsfVolume(spec.psf_volume(), "simulate.psf_volume"));
  const v1::VoxelSize& fwhm = spec.psf_fwhm();
  if (fwhm.z_um() == 0 && fwhm.y_um() == 0 && fwhm.x_um() == 0) return absl::OkStatus();
  return Invalid("simulate.psf_fwhm", "is given beside `simulate.psf_volume`", "Give one of them.");
}

absl::Status CheckSimulatedShape(const v1::Voxel3& shape) {
  RETURN_IF_ERROR(CheckVoxel3(shape, 1, limits::kAxisVoxels, "simulate.shape"));
  const Shape3 extent = ToShape3(shape);
  return ToShape(ToProto(Shape5{1, 1, extent.z, extent.y, extent.x}), v1::F32, "simulate.shape").status();
}

absl::Status CheckSimulate(const v1::SimulateSpec& spec) {
  RETURN_IF_ERROR(CheckSimulatedShape(spec.shape()));
  RETURN_IF_ERROR(CheckEnum(v1::SpecimenKind_IsValid(spec.kind()), spec.kind(), "simulate.kind"));
  if (spec.kind() == v1::SPECIMEN_KIND_UNSPECIFIED) {
    return Invalid("simulate.kind", "is missing", "Give a kind of specimen, for instance MIXED.");
  }
  RETURN_IF_ERROR(CheckNumber(spec.peak_photons(), 1 / limits::kMaximumCounts, limits::kMaximumCounts,
                              "simulate.peak_photons", "photons"));
  RETURN_IF_ERROR(CheckVoxelSize(spec.voxel_size(), "simulate.voxel_size"));
  RETURN_IF_ERROR(CheckSimulatedPsf(spec));
  RETURN_IF_ERROR(CheckCounts(spec.background_photons(), "simulate.background_photons", "photons"));
  RETURN_IF_ERROR(CheckCounts(spec.read_noise_photons(), "simulate.read_noise_photons", "photons"));
  RETURN_IF_ERROR(CheckGain(spec.gain_photons_per_count(), "simulate.gain_photons_per_count"));
  RETURN_IF_ERROR(CheckNumber(spec.offset_counts(), -limits::kMaximumCounts, limits::kMaximumCounts,
                              "simulate.offset_counts", "counts"));
  return CheckEnum(v1::VoxelType_IsValid(spec.raw_type()), spec.raw_type(), "simulate.raw_type");
}

absl::Status CheckModelPsf(const v1::ModelPsfSpec& spec) {
  RETURN_IF_ERROR(CheckVoxel3(spec.shape(), 1, limits::kAxisVoxels, "model_psf.shape"));
  const Shape3 extent = ToShape3(spec.shape());
  RETURN_IF_ERROR(ToShape(ToProto(Shape5{1, 1, extent.z, extent.y, extent.x}), v1::F32, "model_psf.shape").status());
  RETURN_IF_ERROR(CheckVoxelSize(spec.voxel_size(), "model_psf.voxel_size"));
  const v1::VoxelSize& voxel = spec.voxel_size();
  if (!(voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0)) {
    return Invalid("model_psf.voxel_size", "is missing", "Give the voxel size in um along every axis.");
  }
  RETURN_IF_ERROR(CheckEnum(v1::Microscopy_IsValid(spec.microscopy()), spec.microscopy(), "model_psf.microscopy"));
  RETURN_IF_ERROR(CheckEnum(v1::PsfModel_IsValid(spec.model()), spec.model(), "model_psf.model"));
  return ValidateModelPsf(spec);
}

absl::Status CheckMoreBeads(const v1::DistillSpec& spec) {
  constexpr char kField[] = "distill.more_volumes";
  if (spec.more_volumes_size() >= limits::kBeadVolumes) {
    return Above(kField,
                 fmt::format("has {} volumes, more than {}", spec.more_volumes_size(), limits::kBeadVolumes - 1),
                 limits::kBeadVolumes - 1, "Give fewer: some dozens of beads are enough.");
  }
  std::set<std::string> names = {spec.input_volume()};
  for (const std::string& name : spec.more_volumes()) {
    RETURN_IF_ERROR(CheckVolumeName(name, kField));
    if (!names.insert(name).second) return Invalid(kField, "names a volume twice", "Give each volume once.");
  }
  return absl::OkStatus();
}

// What is done with the beads.
absl::Status CheckDistilled(const v1::DistillSpec& spec) {
  if (spec.search_fwhm_voxels() != 0) {
    RETURN_IF_ERROR(CheckNumber(spec.search_fwhm_voxels(), 1, 100, "distill.search_fwhm_voxels", "voxels"));
  }
  RETURN_IF_ERROR(CheckEnum(v1::DistillSpec::Average_IsValid(spec.average()), spec.average(), "distill.average"));
  if (spec.bead_um() != 0) RETURN_IF_ERROR(CheckNumber(spec.bead_um(), 1e-3, 100, "distill.bead_um", "um"));
  if (spec.bead_floor() != 0) RETURN_IF_ERROR(CheckNumber(spec.bead_floor(), 1e-6, 1, "distill.bead_floor", ""));
  if (spec.bead_floor() != 0 && spec.bead_um() == 0) {
    return Invalid("distill.bead_floor", "is given without `distill.bead_um`", "Give the beads' diameter, too.");
  }
  if (spec.smoothing_voxels() != 0) {
    RETURN_IF_ERROR(CheckNumber(spec.smoothing_voxels(), 0.1, 10, "distill.smoothing_voxels", "voxels"));
  }
  const int64_t voxels = ToShape3(spec.shape()).voxels();
  if ((spec.bead_um() == 0 && spec.smoothing_voxels() == 0) || voxels <= limits::kFilteredVoxels)
    return absl::OkStatus();
  return Above("distill.shape", fmt::format("has {} voxels, more than {}", voxels, limits::kFilteredVoxels),
               limits::kFilteredVoxels, "Give a smaller PSF, or neither a diameter of the beads nor smoothing.");
}

absl::Status CheckDistill(const v1::DistillSpec& spec) {
  RETURN_IF_ERROR(CheckVolumeName(spec.input_volume(), "distill.input_volume"));
  RETURN_IF_ERROR(CheckVoxel3(spec.shape(), 3, limits::kDistilledVoxels, "distill.shape"));
  const Shape3 shape = ToShape3(spec.shape());
  if (shape.z % 2 == 0 || shape.y % 2 == 0 || shape.x % 2 == 0) {
    return Invalid("distill.shape", fmt::format("is {} x {} x {}", shape.z, shape.y, shape.x),
                   "Give odd extents, so that the PSF has a middle voxel.");
  }
  RETURN_IF_ERROR(CheckCounts(spec.least_snr(), "distill.least_snr", "times the noise"));
  RETURN_IF_ERROR(CheckCounts(spec.saturation_counts(), "distill.saturation_counts", "counts"));
  RETURN_IF_ERROR(CheckMoreBeads(spec));
  return CheckDistilled(spec);
}

absl::Status CheckCheckPsf(const v1::CheckPsfSpec& spec) {
  RETURN_IF_ERROR(CheckPsfVolume(spec.psf_volume(), "check_psf.psf_volume"));
  RETURN_IF_ERROR(ValidateOptics(spec.optics(), spec.microscopy(), "check_psf"));
  RETURN_IF_ERROR(CheckPreparation(spec, "check_psf"));
  if (!IsZero(spec.image_shape())) {
    RETURN_IF_ERROR(CheckVoxel3(spec.image_shape(), 1, limits::kAxisVoxels, "check_psf.image_shape"));
  }
  return CheckVoxelSize(spec.image_voxel_size(), "check_psf.image_voxel_size");
}

absl::Status CheckProject(const v1::ProjectSpec& spec) {
  RETURN_IF_ERROR(CheckVolumeName(spec.input_volume(), "project.input_volume"));
  RETURN_IF_ERROR(CheckEnum(v1::ProjectSpec::Axis_IsValid(spec.axis()), spec.axis(), "project.axis"));
  if (spec.axis() != v1::ProjectSpec::AXIS_UNSPECIFIED) return absl::OkStatus();
  return Invalid("project.axis", "is missing", "Give Z, Y or X.");
}

// --- Volumes ---

absl::Status CheckChannels(const v1::VolumeSpec& spec) {
  const int given = spec.channels_size();
  if (given != 0 && static_cast<uint32_t>(given) != spec.shape().c()) {
    return Invalid("channels", fmt::format("has {} entries, but the volume has {} channels", given, spec.shape().c()),
                   "Describe every channel or none.");
  }
  size_t name_bytes = 0;
  for (int i = 0; i < given; ++i) {
    const v1::Channel& channel = spec.channels(i);
    name_bytes += channel.name().size();
    const std::string field = fmt::format("channels[{}]", i);
    RETURN_IF_ERROR(CheckText(channel.name(), limits::kDisplayNameBytes, field + ".name"));
    RETURN_IF_ERROR(CheckLength(channel.emission_wavelength_um(), field + ".emission_wavelength_um"));
    RETURN_IF_ERROR(CheckLength(channel.excitation_wavelength_um(), field + ".excitation_wavelength_um"));
  }
  if (name_bytes <= limits::kChannelNamesBytes) return absl::OkStatus();
  return Above("channels",
               fmt::format("has names of {} bytes together, more than {}", name_bytes, limits::kChannelNamesBytes),
               limits::kChannelNamesBytes, "Shorten the channels' names.");
}

}  // namespace

absl::Status ValidateRequestId(std::string_view id) {
  const bool valid =
      !id.empty() && id.size() <= limits::kRequestIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      });
  if (valid) return absl::OkStatus();
  return Invalid("request_id",
                 fmt::format("is `{}`, but must be 1 to {} characters of [A-Za-z0-9_-]",
                             id.substr(0, limits::kRequestIdBytes), limits::kRequestIdBytes),
                 "Choose a new one for each request, for instance a UUID.");
}

absl::Status ValidateVolumeSpec(const v1::VolumeSpec& spec) {
  RETURN_IF_ERROR(CheckText(spec.display_name(), limits::kDisplayNameBytes, "display_name"));
  RETURN_IF_ERROR(CheckVolumeType(spec.type(), "type"));
  RETURN_IF_ERROR(ToShape(spec.shape(), spec.type(), "shape").status());
  RETURN_IF_ERROR(CheckVoxelSize(spec.voxel_size(), "voxel_size"));
  RETURN_IF_ERROR(CheckChannels(spec));
  if (spec.digest().empty() || spec.digest().size() == Sha256Digest().size()) return absl::OkStatus();
  return Invalid("digest", fmt::format("has {} bytes", spec.digest().size()), "Give 32 bytes of SHA-256, or none.");
}

absl::Status ValidateJobSpec(const v1::JobSpec& spec) {
  RETURN_IF_ERROR(CheckText(spec.display_name(), limits::kDisplayNameBytes, "display_name"));
  RETURN_IF_ERROR(CheckEnum(v1::JobClass_IsValid(spec.job_class()), spec.job_class(), "job_class"));
  switch (spec.work_case()) {
    case v1::JobSpec::kDeconvolve:
      return CheckDeconvolve(spec.deconvolve());
    case v1::JobSpec::kSimulate:
      return CheckSimulate(spec.simulate());
    case v1::JobSpec::kProject:
      return CheckProject(spec.project());
    case v1::JobSpec::kModelPsf:
      return CheckModelPsf(spec.model_psf());
    case v1::JobSpec::kDistill:
      return CheckDistill(spec.distill());
    case v1::JobSpec::kCheckPsf:
      return CheckCheckPsf(spec.check_psf());
    case v1::JobSpec::kPreparePsf:
      RETURN_IF_ERROR(CheckPsfVolume(spec.prepare_psf().psf_volume(), "prepare_psf.psf_volume"));
      return ValidatePreparePsf(spec.prepare_psf());
    case v1::JobSpec::kImportFile:
      return ValidateImport(spec.import_file());
    case v1::JobSpec::kExportFile:
      return ValidateExport(spec.export_file());
    case v1::JobSpec::kTrainModel:
      return ValidateTrainModel(spec.train_model());
    case v1::JobSpec::kCheckModel:
      return ValidateCheckModel(spec.check_model());
    default:
      return Invalid("work", "is missing", kSayWhatToDo);
  }
}

}  // namespace deconvoy
