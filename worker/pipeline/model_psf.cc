#include "worker/pipeline/model_psf.h"

#include <span>
#include <vector>

#include "proto/contract/model_psf.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/psf/theory/microscope.h"

namespace deconvoy::worker {
namespace {

Microscopy KindOf(v1::Microscopy kind) {
  switch (kind) {
    case v1::CONFOCAL:
      return Microscopy::kConfocal;
    case v1::LIGHT_SHEET:
      return Microscopy::kLightSheet;
    case v1::TWO_PHOTON:
      return Microscopy::kTwoPhoton;
    case v1::STED:
      return Microscopy::kSted;
    case v1::SPINNING_DISK:
      return Microscopy::kSpinningDisk;
    default:
      return Microscopy::kWidefield;
  }
}

LightModel ModelOf(v1::PsfModel model) {
  switch (model) {
    case v1::GIBSON_LANNI:
    case v1::BORN_WOLF:  // without layers that differ it is the same integral
      return LightModel::kScalar;
    case v1::DEBYE:
      return LightModel::kDebye;
    default:
      return LightModel::kVectorial;
  }
}

std::vector<ZernikeTerm> ZernikeOf(const v1::Optics& optics) {
  std::vector<ZernikeTerm> terms;
  for (const v1::ZernikeTerm& term : optics.zernike()) {
    terms.push_back({.noll = static_cast<int>(term.noll()), .rms_um = term.rms_waves() * optics.emission_um()});
  }
  return terms;
}

PsfGrid GridOf(const v1::ModelPsfSpec& spec) {
  return {.shape = ToShape3(spec.shape()),
          .z_um = spec.voxel_size().z_um(),
          .y_um = spec.voxel_size().y_um(),
          .x_um = spec.voxel_size().x_um()};
}

}  // namespace

Microscope MicroscopeOf(const v1::ModelPsfSpec& spec) {
  const v1::Optics given = ResolveOptics(spec);
  return {.kind = KindOf(spec.microscopy()),
          .model = ModelOf(spec.model()),
          .emission = {.na = given.na(),
                       .wavelength_um = given.emission_um(),
                       .ri_immersion = given.ri_immersion(),
                       .ri_immersion_design = given.ri_immersion_design(),
                       .ri_sample = given.ri_sample(),
                       .ri_coverslip = given.ri_coverslip(),
                       .ri_coverslip_design = given.ri_coverslip_design(),
                       .coverslip_um = given.coverslip_um(),
                       .coverslip_design_um = given.coverslip_design_um(),
                       .working_distance_um = given.working_distance_um(),
                       .depth_um = given.depth_um(),
                       .zernike = ZernikeOf(given)},
          .excitation_um = given.excitation_um(),
          .polarised = given.polarised(),
          .pinhole_au = given.pinhole_au(),
          .pinhole_spacing_um = given.pinhole_spacing_um(),
          .sheet_fwhm_um = given.sheet_fwhm_um(),
          .depletion_um = given.depletion_um(),
          .saturation = given.saturation(),
          .gaussian = spec.model() == v1::GAUSSIAN,
          .fwhm_um = given.fwhm_um(),
          .fwhm_z_um = given.fwhm_z_um()};
}

absl::StatusOr<int64_t> ModelPsfBytes(const v1::Task& task) {
  const v1::ModelPsfSpec& spec = task.model_psf().spec();
  RETURN_IF_ERROR(ValidateModelPsf(spec));
  return static_cast<int64_t>(PsfBytes(MicroscopeOf(spec), GridOf(spec)));
}

absl::StatusOr<v1::TaskResult> RunModelPsf(const v1::Task& task, int threads, TaskContext& context) {
  const v1::ModelPsfSpec& spec = task.model_psf().spec();
  RETURN_IF_ERROR(ValidateModelPsf(spec));
  RETURN_IF_ERROR(context.Progress(0, 1));
  const std::vector<float> values = MakePsf(MicroscopeOf(spec), GridOf(spec), threads);
  RETURN_IF_ERROR(context.Progress(1, 1));
  PieceWriter writer(task, context.sink());
  RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(values))));
  v1::TaskResult result;
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
