#include "worker/pipeline/psf_findings.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "worker/pipeline/model_psf.h"
#include "worker/psf/optics_check.h"

namespace deconvoy::worker {
namespace {

v1::Finding Info(std::string message) {
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(std::move(message));
  return finding;
}

}  // namespace

std::vector<v1::Finding> OpticsFindings(std::span<const float> values, const Shape3& shape, uint32_t c,
                                        const v1::VoxelSize& voxel, const v1::Optics& optics,
                                        v1::Microscopy microscopy) {
  std::array<double, 3> voxel_um = {voxel.z_um(), voxel.y_um(), voxel.x_um()};
  if (shape.z == 1 && voxel_um[0] == 0) voxel_um[0] = 1;  // one plane: nothing lies along z
  if (!(voxel_um[0] > 0 && voxel_um[1] > 0 && voxel_um[2] > 0)) {
    return {Info(
        fmt::format("PSF of channel {}: its voxel size is not known, so that it is not compared with its optics", c))};
  }
  v1::ModelPsfSpec spec;
  *spec.mutable_optics() = optics;
  spec.set_microscopy(microscopy);
  const OpticsComparison found = CompareWithOptics(values, shape, voxel_um, MicroscopeOf(spec));
  std::vector<v1::Finding> findings = {Info(
      fmt::format("PSF of channel {}: its width at half maximum is {} (z,y,x), that of its optics {}; voxels are "
                  "{:.2g} x {:.2g} x {:.2g} times those that the optics need (Nyquist)",
                  c, WidthsText(found.measured_um), WidthsText(found.expected_um), voxel_um[0] / found.nyquist_um[0],
                  voxel_um[1] / found.nyquist_um[1], voxel_um[2] / found.nyquist_um[2]))};
  for (const PsfDefect& defect : found.defects) findings.push_back(PsfFinding(c, defect));
  return findings;
}

std::string DefectOf(const v1::Finding& finding) {
  const auto found = finding.info().metadata().find("defect");
  return found == finding.info().metadata().end() ? "" : found->second;
}

absl::Status CheckSteps(const PsfSteps& steps) {
  if (steps.usable()) return absl::OkStatus();
  return MakeError({.reason = v1::VOXEL_SIZE_MISMATCH,
                    .field = "deconvolve.psf_volume",
                    .remedy = "Give the PSF with the image's voxel size."},
                   fmt::format("the image's voxels are {:.3g} x {:.3g} x {:.3g} (z,y,x) of the PSF's, which must be "
                               "{:g} to {:g}",
                               steps.z, steps.y, steps.x, kLeastPsfStep, kMostPsfStep));
}

v1::VoxelSize TimesSteps(v1::VoxelSize voxel, const PsfSteps& steps) {
  voxel.set_z_um(voxel.z_um() * steps.z);
  voxel.set_y_um(voxel.y_um() * steps.y);
  voxel.set_x_um(voxel.x_um() * steps.x);
  return voxel;
}

}  // namespace deconvoy::worker
