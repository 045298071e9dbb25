#include "worker/pipeline/psf_estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/optics.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/pipeline/model_psf.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/prepare_psf.h"
#include "worker/psf/estimate.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {
namespace {

std::string Widths(const PreparedPsf& psf) {
  const PsfFacts facts = MeasurePsf(psf.values, psf.shape, psf.centre);
  return fmt::format("{:.2f} x {:.2f} x {:.2f}", facts.axes[0].fwhm, facts.axes[1].fwhm, facts.axes[2].fwhm);
}

// The lengths of the voxel's edges; empty where they are not known.
std::string VoxelText(const v1::VoxelSize& voxel) {
  if (!(voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0)) return {};
  return fmt::format(" of {:.4g} x {:.4g} x {:.4g} um", voxel.z_um(), voxel.y_um(), voxel.x_um());
}

// The strongest mode is named first.
std::string PupilText(uint32_t c, std::vector<PupilMode> modes) {
  std::stable_sort(modes.begin(), modes.end(),
                   [](const PupilMode& a, const PupilMode& b) { return std::abs(a.waves) > std::abs(b.waves); });
  std::string text;
  for (const PupilMode& mode : modes) {
    text += fmt::format("{}{}: {:.3f}", text.empty() ? "" : ", ", mode.noll, mode.waves);
  }
  return fmt::format(
      "pupil of channel {}, as the image tells it: Zernike modes (Noll) in wavelengths, root mean square: "
      "{}",
      c, text);
}

void AddFinding(v1::Severity severity, std::string message, v1::EstimatePsfResult& result) {
  v1::Finding& finding = *result.add_findings();
  finding.set_severity(severity);
  finding.set_message(std::move(message));
}

}  // namespace

absl::Status EstimationMonitor::Iterated(const Iteration& iteration) {
  if (iteration.objective) {
    context_.Objective(*iteration.objective);
    *estimate_.add_objective() = *iteration.objective;
  }
  return context_.Progress(iteration.done, iteration.total);
}

absl::StatusOr<PreparedPsf> ReadGivenPsf(const v1::Task& task, VolumeSource& source) {
  const v1::TileTask& tile = task.estimate_psf().tile();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* access, FindInput(task, tile.psf_volume()));
  return ReadPreparedPsf(source, *access, tile.psfs(0));
}

absl::StatusOr<std::optional<KnownOptics>> OpticsOfTask(const v1::Task& task, const v1::VolumeSpec& image,
                                                        int threads) {
  const v1::TileTask& tile = task.estimate_psf().tile();
  const v1::Optics* const optics = OpticsOf(tile.spec().optics(), tile.core().c());
  if (optics == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(const v1::VolumeAccess* access, FindInput(task, tile.psf_volume()));
  v1::VoxelSize voxel = PsfVoxelSize(image.voxel_size(), access->spec().voxel_size());
  if (access->spec().shape().z() == 1 && voxel.z_um() == 0) voxel.set_z_um(1);  // nothing lies along z
  if (!(voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0)) return std::nullopt;
  v1::ModelPsfSpec spec;
  *spec.mutable_optics() = *optics;
  spec.set_microscopy(tile.spec().microscopy());
  return KnownOptics{.microscope = MicroscopeOf(spec),
                     .z_um = voxel.z_um(),
                     .y_um = voxel.y_um(),
                     .x_um = voxel.x_um(),
                     .threads = threads};
}

absl::Status WritePsfEstimate(const v1::Task& task, const PreparedPsf& given,
                              const std::optional<EstimatedPsf>& estimate, OutputSink& sink, v1::TaskResult& result) {
  const v1::TileTask& tile = task.estimate_psf().tile();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* access, FindInput(task, tile.psf_volume()));
  const Shape3 shape = FrameShape(access->spec());
  const std::vector<float> volume = InVolume(estimate ? estimate->psf : given, tile.psfs(0), shape);
  PieceWriter writer(task, sink);
  RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(volume))));
  v1::EstimatePsfResult& found = *result.mutable_estimate_psf();
  const uint32_t c = tile.core().c();
  found.mutable_estimate()->set_c(c);
  found.mutable_estimate()->set_t(tile.core().t());
  *found.mutable_estimate()->mutable_psf() = ReportEstimate(volume, shape, tile.psfs(0), c);
  if (estimate) {
    AddFinding(
        v1::INFO,
        fmt::format("PSF of channel {}, estimated from the image: full width at half maximum {} voxels{} (z,y,x); "
                    "that of the given one is {}",
                    c, Widths(estimate->psf), VoxelText(access->spec().voxel_size()), Widths(given)),
        found);
    if (!estimate->pupil.empty()) AddFinding(v1::INFO, PupilText(c, estimate->pupil), found);
  } else {
    AddFinding(
        v1::WARNING,
        fmt::format("the frame t={} c={} is blank, so that no PSF can be estimated from it; the given one is used",
                    tile.core().t(), c),
        found);
  }
  return writer.Finish(result);
}

}  // namespace deconvoy::worker
